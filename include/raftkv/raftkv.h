/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/raftkv.h - every door of the library at once.
 */
#ifndef RAFTKV_RAFTKV_H
#define RAFTKV_RAFTKV_H

#include "auth.h"
#include "base.h"
#include "hub.h"
#include "kv.h"
#include "node.h"
#include "raft.h"
#include "store.h"
#include "trace.h"
#include "txn.h"
#include "version.h"

#endif
