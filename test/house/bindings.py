# SPDX-License-Identifier: BSD-2-Clause
"""The records of the Python binding are those of the headers, field by field:
bindings.py LAYOUT.  LAYOUT is the reviewed list of offsets and sizes.  A
record that says its size may end early; the others may not.
"""
import ctypes
import sys

import raftkv

NAMES = {
    raftkv._Member: "rkv_member", raftkv._Item: "rkv_item",
    raftkv._Range: "rkv_range", raftkv._Put: "rkv_put",
    raftkv._Compare: "rkv_compare", raftkv._Result: "rkv_result",
    raftkv._Response: "rkv_response", raftkv._KvStatus: "rkv_kv_status",
    raftkv._Watch: "rkv_watch", raftkv._Change: "rkv_change_event",
    raftkv._SqliteOptions: "rkv_sqlite_options",
    raftkv._NodeOptions: "rkv_node_options",
    raftkv._MemberChange: "rkv_change", raftkv._Frame: "rkv_frame",
    raftkv._Event: "rkv_event", raftkv.NodeStatus: "rkv_node_status",
}


def differences(lines):
    places, sizes = {}, {}
    for line in lines:
        name, number = line.split()
        if name.endswith(":"):
            sizes[name[:-1]] = int(number)
        else:
            places[name] = int(number)
    for record, name in NAMES.items():
        ours = {field[0]: getattr(record, field[0]).offset
                for field in record._fields_}
        theirs = {field.split(".")[1]: at for field, at in places.items()
                  if field.split(".")[0] == name}
        if not theirs:
            yield "%s is not in the list" % name
        for field in ours.keys() | theirs.keys():
            if field not in ours and issubclass(record, raftkv._Sized):
                continue
            if ours.get(field) != theirs.get(field):
                yield "%s.%s: %s here, %s in the headers" % (
                    name, field, ours.get(field), theirs.get(field))
        if not issubclass(record, raftkv._Sized) and \
                ctypes.sizeof(record) != sizes.get(name):
            yield "%s: %d bytes here, %s in the headers" % (
                name, ctypes.sizeof(record), sizes.get(name))


def records():
    """Every record of the binding has a name above."""
    for thing in vars(raftkv).values():
        if isinstance(thing, type) and issubclass(thing, ctypes.Structure) \
                and thing not in NAMES and hasattr(thing, "_fields_") \
                and thing is not ctypes.Structure:
            yield "%s is compared with nothing" % thing.__name__


with open(sys.argv[1]) as file:
    lines = file.read().splitlines()
found = list(differences(lines)) + list(records())
planted = [line.replace("rkv_event.token 16", "rkv_event.token 24")
           for line in lines]
if not list(differences(planted)):
    found.append("a field in another place is not found")
if found:
    sys.exit("\n".join(found))
