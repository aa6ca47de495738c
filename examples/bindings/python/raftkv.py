# SPDX-License-Identifier: BSD-2-Clause
"""libraft-kv for Python, over ctypes: no C compiler, no dependency.

A Node is one member of a replicated key-value store.  It has no socket and no
clock: bytes and ticks go in, bytes and events come out, and you own the loop:

    node.receive(now, frame); node.tick(now); node.flush(now)
    for to, address, frame in node.frames(): send(to, frame)
    for event in node.events(): ...

Everything handed out is copied, so nothing here is borrowed.  An error of the
library is raised as raftkv.Error, with the code's name.  One thread at a time
per Node and its Store.

The library is found by RAFTKV_LIBRARY, or in this tree's build folder, or
where the system keeps its libraries.
"""
import ctypes
import os
from ctypes import (POINTER, Structure, byref, c_char_p, c_int, c_int32,
                    c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p,
                    sizeof)
from typing import NamedTuple, Optional

VOTER, LEARNER = 1, 2
FOLLOWER, PRECANDIDATE, CANDIDATE, LEADER = 1, 2, 3, 4
DONE, NOT_DONE, UNKNOWN = 1, 2, 3
EVENT_DONE, EVENT_CHANGE, EVENT_ROLE, EVENT_MEMBERS, EVENT_RESTORED = range(1, 6)
PUT, DELETE, CANCELED = 1, 2, 3
ADD_LEARNER, ADD_VOTER, REMOVE, UPDATE = 1, 2, 3, 4
VERSION, CREATE, MOD, VALUE, LEASE = range(5)
EQUAL, GREATER, LESS, NOT_EQUAL = range(4)


# The records of the headers, field by field.

class _Sized(Structure):
    """A struct that begins with its size; the rest starts as zero."""

    def __init__(self, **fields):
        super().__init__(size=sizeof(self), **fields)


class _Member(Structure):
    _fields_ = [("id", c_uint64), ("role", c_uint32),
                ("address_len", c_uint32), ("address", c_char_p)]


class _Item(Structure):
    _fields_ = [("key", c_void_p), ("key_len", c_size_t),
                ("value", c_void_p), ("value_len", c_size_t),
                ("create_revision", c_int64), ("mod_revision", c_int64),
                ("version", c_int64), ("lease", c_int64)]


class _Range(_Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("key", c_char_p), ("key_len", c_size_t),
                ("end", c_char_p), ("end_len", c_size_t),
                ("revision", c_int64), ("limit", c_int64),
                ("offset", c_int64), ("sort", c_uint32), ("order", c_uint32),
                ("min_mod", c_int64), ("max_mod", c_int64),
                ("min_create", c_int64), ("max_create", c_int64)]


class _Put(_Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("key", c_char_p), ("key_len", c_size_t),
                ("value", c_char_p), ("value_len", c_size_t),
                ("lease", c_int64)]


class _Compare(_Sized):
    _fields_ = [("size", c_uint32), ("target", c_uint32),
                ("relation", c_uint32), ("reserved", c_uint32),
                ("key", c_char_p), ("key_len", c_size_t),
                ("end", c_char_p), ("end_len", c_size_t),
                ("number", c_int64),
                ("value", c_char_p), ("value_len", c_size_t)]


class _Result(Structure):
    pass


class _Response(Structure):
    _fields_ = [("kind", c_uint32), ("more", c_uint32), ("count", c_uint64),
                ("items", POINTER(_Item)), ("items_count", c_uint64),
                ("revision", c_int64), ("txn", POINTER(_Result)),
                ("lease", c_int64), ("ttl", c_int64),
                ("session", c_uint64), ("reserved", c_uint64)]


_Result._fields_ = [("status", c_int32), ("succeeded", c_uint32),
                    ("revision", c_int64), ("compacted", c_int64),
                    ("responses", POINTER(_Response)),
                    ("responses_count", c_uint64),
                    ("replayed", c_uint32), ("reserved", c_uint32)]


class _KvStatus(_Sized):
    _fields_ = [("size", c_uint32), ("watches", c_uint32),
                ("applied", c_uint64), ("revision", c_int64),
                ("compacted", c_int64), ("keys", c_uint64),
                ("revisions", c_uint64), ("bytes", c_uint64),
                ("hash", c_uint64)]


class _Watch(_Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("key", c_char_p), ("key_len", c_size_t),
                ("end", c_char_p), ("end_len", c_size_t),
                ("start", c_int64), ("id", c_uint64),
                ("more", c_void_p), ("more_count", c_size_t)]


class _Change(Structure):
    _fields_ = [("watch", c_uint64), ("kind", c_uint32), ("last", c_uint32),
                ("revision", c_int64), ("compacted", c_int64),
                ("now", _Item), ("before", _Item)]


class _SqliteOptions(_Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("path", c_char_p), ("vfs", c_char_p),
                ("checkpoint_pages", c_uint32), ("segment_entries", c_uint32),
                ("segment_bytes", c_uint64), ("allocator", c_void_p)]


class _NodeOptions(_Sized):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("cluster", c_uint64), ("id", c_uint64),
                ("group", c_uint64), ("seed", c_uint64),
                ("raft", c_void_p), ("kv", c_void_p),
                ("request_ticks", c_uint32), ("requests_max", c_uint32),
                ("request_bytes_max", c_uint64),
                ("frame_bytes_max", c_uint64),
                ("outbox_bytes_max", c_uint64),
                ("cache_bytes_max", c_uint64),
                ("snapshot_entries", c_uint64),
                ("snapshot_bytes", c_uint64), ("snapshot_keep", c_uint64),
                ("snapshot_chunk_bytes", c_uint64), ("allocator", c_void_p)]


class _MemberChange(_Sized):
    _fields_ = [("size", c_uint32), ("op", c_uint32), ("id", c_uint64),
                ("address", c_char_p), ("address_len", c_size_t)]


class _Frame(Structure):
    _fields_ = [("to", c_uint64), ("data", c_void_p), ("len", c_size_t),
                ("address", c_void_p), ("address_len", c_size_t)]


class _Event(Structure):
    _fields_ = [("kind", c_uint32), ("outcome", c_uint32),
                ("status", c_int32), ("role", c_uint32),
                ("token", c_uint64), ("group", c_uint64),
                ("leader", c_uint64), ("term", c_uint64),
                ("index", c_uint64), ("result", POINTER(_Result)),
                ("change", POINTER(_Change))]


class NodeStatus(_Sized):
    """What rkv_node_status(3) tells."""
    _fields_ = [("size", c_uint32), ("role", c_uint32)] + [
        (name, c_uint64) for name in (
            "id", "cluster", "group", "leader", "term", "first", "last",
            "durable", "commit", "applied", "snapshot_index", "boot",
            "requests", "frames_in", "frames_out", "frames_refused",
            "frames_dropped", "flushes", "entries_written",
            "snapshots_taken", "snapshots_received", "elections")
    ] + [("members", c_uint32), ("recovering", c_uint32),
         ("incarnation", ctypes.c_uint8 * 16),
         ("quiet", c_uint32), ("reserved", c_uint32)]


# What a caller gets instead.

class Item(NamedTuple):
    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int


class Response(NamedTuple):
    items: list
    count: int
    more: bool
    revision: int
    txn: Optional["Result"]


class Result(NamedTuple):
    succeeded: bool
    revision: int
    responses: list


class Change(NamedTuple):
    watch: int
    kind: int
    revision: int
    last: bool
    now: Item
    before: Item


class Event(NamedTuple):
    kind: int
    outcome: int
    status: int
    role: int
    token: int
    leader: int
    term: int
    index: int
    result: Optional[Result]
    change: Optional[Change]


class Error(Exception):
    """A code of the library; str() is for people, .name for programs."""

    def __init__(self, code, detail=""):
        self.code = code
        self.name = _lib.rkv_errname(code).decode()
        text = _lib.rkv_strerror(code).decode()
        super().__init__(": ".join(t for t in (self.name, text, detail) if t))


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "..", "..", "..", "build", "libraft-kv.so.0")
    name = os.environ.get("RAFTKV_LIBRARY")
    if not name:
        name = built if os.path.exists(built) else "libraft-kv.so.0"
    lib = ctypes.CDLL(name)
    for function, result, arguments in _FUNCTIONS:
        found = getattr(lib, function)
        found.restype = result
        found.argtypes = arguments
    return lib


_FUNCTIONS = [
    ("rkv_errname", c_char_p, [c_int32]),
    ("rkv_strerror", c_char_p, [c_int32]),
    ("rkv_version", c_char_p, []),
    ("rkv_store_memory", c_int, [c_void_p, POINTER(c_void_p)]),
    ("rkv_store_sqlite", c_int, [POINTER(_SqliteOptions), POINTER(c_void_p)]),
    ("rkv_store_close", None, [c_void_p]),
    ("rkv_store_errmsg", c_char_p, [c_void_p]),
    ("rkv_txn_new", c_int, [c_void_p, POINTER(c_void_p)]),
    ("rkv_txn_free", None, [c_void_p]),
    ("rkv_txn_compare", c_int, [c_void_p, POINTER(_Compare)]),
    ("rkv_txn_put", c_int, [c_void_p, POINTER(_Put)]),
    ("rkv_txn_range", c_int, [c_void_p, POINTER(_Range)]),
    ("rkv_txn_delete", c_int, [c_void_p, POINTER(_Range)]),
    ("rkv_txn_else", c_int, [c_void_p]),
    ("rkv_txn_begin", c_int, [c_void_p]),
    ("rkv_txn_end", c_int, [c_void_p]),
    ("rkv_txn_compact", c_int, [c_void_p, c_int64]),
    ("rkv_txn_encode", c_int, [c_void_p, POINTER(c_void_p),
                               POINTER(c_size_t)]),
    ("rkv_kv_range", c_int, [c_void_p, POINTER(_Range),
                             POINTER(POINTER(_Result))]),
    ("rkv_kv_status", None, [c_void_p, POINTER(_KvStatus)]),
    ("rkv_kv_watch", c_int, [c_void_p, POINTER(_Watch), POINTER(c_uint64)]),
    ("rkv_kv_unwatch", c_int, [c_void_p, c_uint64]),
    ("rkv_node_open", c_int, [POINTER(_NodeOptions), c_void_p,
                              POINTER(c_void_p)]),
    ("rkv_node_close", None, [c_void_p]),
    ("rkv_node_bootstrap", c_int, [c_void_p, POINTER(_Member), c_uint32]),
    ("rkv_node_receive", c_int, [c_void_p, c_uint64, c_char_p, c_size_t]),
    ("rkv_node_tick", c_int, [c_void_p, c_uint64]),
    ("rkv_node_deadline", c_uint64, [c_void_p]),
    ("rkv_node_unreachable", c_int, [c_void_p, c_uint64]),
    ("rkv_node_propose", c_int, [c_void_p, c_uint64, c_char_p, c_size_t]),
    ("rkv_node_read", c_int, [c_void_p, c_uint64]),
    ("rkv_node_change", c_int, [c_void_p, c_uint64, POINTER(_MemberChange)]),
    ("rkv_node_reconfigure", c_int, [c_void_p, c_uint64,
                                     POINTER(_MemberChange), c_uint32,
                                     c_uint32]),
    ("rkv_node_transfer", c_int, [c_void_p, c_uint64, c_uint64]),
    ("rkv_node_flush", c_int, [c_void_p, c_uint64]),
    ("rkv_node_next_frame", c_int, [c_void_p, POINTER(POINTER(_Frame))]),
    ("rkv_frame_len", c_int64, [c_char_p, c_size_t, c_uint64]),
    ("rkv_node_next_event", c_int, [c_void_p, POINTER(POINTER(_Event))]),
    ("rkv_node_status", None, [c_void_p, POINTER(NodeStatus)]),
    ("rkv_node_members", c_uint32, [c_void_p, POINTER(POINTER(_Member))]),
    ("rkv_node_kv", c_void_p, [c_void_p]),
    ("rkv_node_errmsg", c_char_p, [c_void_p]),
]
_lib = _load()


def version():
    return _lib.rkv_version().decode()


def frame_len(data, frame_bytes_max=2 << 20):
    """Length of the frame a stream begins with; 0: more bytes are needed."""
    length = _lib.rkv_frame_len(data, len(data), frame_bytes_max)
    if length < 0:
        raise Error(length)
    return length


def _bytes(at, length):
    return ctypes.string_at(at, length) if length else b""


def _item(item):
    return Item(_bytes(item.key, item.key_len),
                _bytes(item.value, item.value_len), item.create_revision,
                item.mod_revision, item.version)


def _result(result):
    responses = []
    for i in range(result.responses_count):
        r = result.responses[i]
        responses.append(Response([_item(r.items[k])
                                   for k in range(r.items_count)],
                                  r.count, bool(r.more), r.revision,
                                  _result(r.txn[0]) if r.txn else None))
    return Result(bool(result.succeeded), result.revision, responses)


def prefix_end(prefix):
    """The end of the range of all keys that begin with prefix."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"


def _range(key, end=b"", revision=0, limit=0, flags=0):
    return _Range(flags=flags, key=key, key_len=len(key), end=end,
                  end_len=len(end), revision=revision, limit=limit)


class Txn:
    """A command: comparisons, operations, otherwise(), other operations.

    Each call returns the transaction, so they can be written in a row; an
    error is raised by encode().
    """

    def __init__(self):
        self._handle = c_void_p()
        _check(_lib.rkv_txn_new(None, byref(self._handle)))

    def __del__(self):
        _lib.rkv_txn_free(self._handle)

    def compare(self, key, target, relation, number=0, value=b"", end=b""):
        _lib.rkv_txn_compare(self._handle, byref(_Compare(
            target=target, relation=relation, key=key, key_len=len(key),
            end=end, end_len=len(end), number=number, value=value,
            value_len=len(value))))
        return self

    def put(self, key, value, prev=False):
        _lib.rkv_txn_put(self._handle, byref(_Put(
            flags=1 if prev else 0, key=key, key_len=len(key), value=value,
            value_len=len(value))))
        return self

    def range(self, key, end=b"", revision=0, limit=0):
        _lib.rkv_txn_range(self._handle,
                           byref(_range(key, end, revision, limit)))
        return self

    def delete(self, key, end=b"", prev=False):
        _lib.rkv_txn_delete(self._handle,
                            byref(_range(key, end, flags=4 if prev else 0)))
        return self

    def otherwise(self):
        _lib.rkv_txn_else(self._handle)
        return self

    def begin(self):
        _lib.rkv_txn_begin(self._handle)
        return self

    def end(self):
        _lib.rkv_txn_end(self._handle)
        return self

    def compact(self, revision):
        _lib.rkv_txn_compact(self._handle, revision)
        return self

    def encode(self):
        data, length = c_void_p(), c_size_t()
        _check(_lib.rkv_txn_encode(self._handle, byref(data), byref(length)))
        return _bytes(data, length.value)


class Store:
    """In memory, or with a directory in SQLite."""

    def __init__(self, directory=None):
        self._handle = c_void_p()
        if directory is None:
            rc = _lib.rkv_store_memory(None, byref(self._handle))
        else:
            options = _SqliteOptions(path=os.fsencode(directory))
            rc = _lib.rkv_store_sqlite(byref(options), byref(self._handle))
        if rc < 0:
            detail = _lib.rkv_store_errmsg(self._handle).decode()
            self.close()
            raise Error(rc, detail)

    def close(self):
        _lib.rkv_store_close(self._handle)
        self._handle = c_void_p()


class Node:
    """A member.  Close it before its store."""

    def __init__(self, store, cluster, id, seed=None, **options):
        self._handle = c_void_p()
        self._store = store
        filled = _NodeOptions(cluster=cluster, id=id, seed=seed or id,
                              **options)
        rc = _lib.rkv_node_open(byref(filled), store._handle,
                                byref(self._handle))
        if rc < 0:
            detail = self.errmsg()
            self.close()
            raise Error(rc, detail)

    def close(self):
        _lib.rkv_node_close(self._handle)
        self._handle = c_void_p()

    def errmsg(self):
        return _lib.rkv_node_errmsg(self._handle).decode()

    def _check(self, rc):
        if rc < 0:
            raise Error(rc, self.errmsg())
        return rc

    def bootstrap(self, members):
        """members: {id: address} of all voters, the same on each of them."""
        array = (_Member * len(members))(*[
            _Member(id=id, role=VOTER, address_len=len(address),
                    address=address) for id, address in members.items()])
        self._check(_lib.rkv_node_bootstrap(self._handle, array, len(array)))

    def receive(self, now, frame):
        """Returns 0, or the code for which the frame was dropped."""
        return _lib.rkv_node_receive(self._handle, now, frame, len(frame))

    def tick(self, now):
        self._check(_lib.rkv_node_tick(self._handle, now))

    def flush(self, now):
        self._check(_lib.rkv_node_flush(self._handle, now))

    def deadline(self):
        return _lib.rkv_node_deadline(self._handle)

    def unreachable(self, peer):
        self._check(_lib.rkv_node_unreachable(self._handle, peer))

    def frames(self):
        """Yields (to, address, frame) until there are none."""
        frame = POINTER(_Frame)()
        while self._check(_lib.rkv_node_next_frame(self._handle,
                                                   byref(frame))):
            f = frame[0]
            yield (f.to, _bytes(f.address, f.address_len),
                   _bytes(f.data, f.len))

    def events(self):
        """Yields events until there are none."""
        event = POINTER(_Event)()
        while self._check(_lib.rkv_node_next_event(self._handle,
                                                   byref(event))):
            e = event[0]
            status, result, change = e.status, None, None
            if e.result:
                status = e.result[0].status
                result = _result(e.result[0])
            if e.change:
                c = e.change[0]
                change = Change(c.watch, c.kind, c.revision, bool(c.last),
                                _item(c.now), _item(c.before))
            yield Event(e.kind, e.outcome, status, e.role, e.token, e.leader,
                        e.term, e.index, result, change)

    def propose(self, token, command):
        """command: a Txn, or the bytes of one."""
        data = command.encode() if isinstance(command, Txn) else command
        self._check(_lib.rkv_node_propose(self._handle, token, data,
                                          len(data)))

    def read(self, token):
        self._check(_lib.rkv_node_read(self._handle, token))

    def change(self, token, op, id, address=b""):
        self._check(_lib.rkv_node_change(self._handle, token, byref(
            _MemberChange(op=op, id=id, address=address,
                          address_len=len(address)))))

    def reconfigure(self, token, changes, transition=0):
        """changes: (op, id, address) each, all at once; none of them ends a
        joint configuration."""
        steps = (_MemberChange * max(1, len(changes)))(*[
            _MemberChange(op=op, id=id, address=address,
                          address_len=len(address))
            for op, id, address in changes])
        self._check(_lib.rkv_node_reconfigure(self._handle, token, steps,
                                              len(changes), transition))

    def transfer(self, token, peer=0):
        self._check(_lib.rkv_node_transfer(self._handle, token, peer))

    def range(self, key, end=b"", revision=0, limit=0):
        """What this member has; after a read is DONE, what all have."""
        result = POINTER(_Result)()
        _check(_lib.rkv_kv_range(
            _lib.rkv_node_kv(self._handle),
            byref(_range(key, end, revision, limit)), byref(result)))
        _check(result[0].status)
        return _result(result[0]).responses[0]

    def watch(self, key, end=b"", start=0, prev=False):
        """Returns the watch's id; its changes come as EVENT_CHANGE."""
        id = c_uint64()
        _check(_lib.rkv_kv_watch(
            _lib.rkv_node_kv(self._handle),
            byref(_Watch(flags=1 if prev else 0, key=key, key_len=len(key),
                         end=end, end_len=len(end), start=start)),
            byref(id)))
        return id.value

    def unwatch(self, id):
        _check(_lib.rkv_kv_unwatch(_lib.rkv_node_kv(self._handle), id))

    def status(self):
        status = NodeStatus()
        _lib.rkv_node_status(self._handle, byref(status))
        return status

    def kv_status(self):
        status = _KvStatus()
        _lib.rkv_kv_status(_lib.rkv_node_kv(self._handle), byref(status))
        return status

    def members(self):
        """{id: (role, address)}"""
        found = POINTER(_Member)()
        count = _lib.rkv_node_members(self._handle, byref(found))
        return {found[i].id: (found[i].role, ctypes.string_at(
            found[i].address, found[i].address_len)
            if found[i].address_len else b"") for i in range(count)}


def _check(rc):
    if rc < 0:
        raise Error(rc)
    return rc
