#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs the example, and sees to it that the taste in README is still a piece of
# it: check.sh PROGRAM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"${1:?usage: check.sh PROGRAM}"
taste=$(sed -n '/^    static void turn(/,/^    }$/{s/^    //;p;}' "$here/../../README")
piece=$(sed -n '/^static void turn(/,/^}$/p' "$here/three.c")
test -n "$taste" || { echo "README gives no taste"; exit 1; }
test "$taste" = "$piece" || { echo "README's taste is not a piece of three.c"; exit 1; }
