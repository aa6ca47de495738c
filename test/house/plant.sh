#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Words for tests of scripts; to be sourced, in a scratch folder.  topic is
# what the lines that can be counted begin with; failed says how it went.
# shellcheck disable=SC2034
failed=0
topic=${topic:-planted}

verdict() { # verdict GOOD SENTENCE
    if [ "$1" = yes ]; then
        echo "ok - $topic: $2"
    else
        sed 's/^/    /' said
        echo "not ok - $topic: $2"
        failed=1
    fi
}
passes() { # passes SENTENCE COMMAND...
    sentence=$1
    shift
    if "$@" > said 2>&1; then verdict yes "$sentence"; else verdict no "$sentence"; fi
}
refuses() { # refuses SENTENCE WORD COMMAND...
    sentence=$1 word=$2
    shift 2
    if "$@" > said 2>&1; then
        verdict no "$sentence"
    elif grep -q -e "$word" said; then
        verdict yes "$sentence"
    else
        verdict no "$sentence"
    fi
}
put() { # put FILE LINE...
    mkdir -p "$(dirname "$1")"
    file=$1
    shift
    printf '%s\n' "$@" > "$file"
}
