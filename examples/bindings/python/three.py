# SPDX-License-Identifier: BSD-2-Clause
"""Three members in one process, from Python: elect, put, read, watch, cut one
off, go on, heal, and compare.  The network is a for loop.
"""
import sys

import raftkv

ids = (1, 2, 3)
stores = {id: raftkv.Store() for id in ids}
nodes = {id: raftkv.Node(stores[id], cluster=7, id=id) for id in ids}
cut = set()
answers = {}
changes = []
now = 0


def turn():
    """Ten ticks pass, and each member gets a turn."""
    global now
    now += 10
    for id, node in nodes.items():
        node.tick(now)
        node.flush(now)
        for to, _, frame in node.frames():
            if id not in cut and to not in cut:
                nodes[to].receive(now, frame)
        for event in node.events():
            if event.kind == raftkv.EVENT_DONE:
                answers[event.token] = event
            elif event.kind == raftkv.EVENT_CHANGE:
                changes.append(event.change)


def until(true, what):
    for _ in range(10000):
        if true():
            return
        turn()
    sys.exit("it never came to this: " + what)


def leader(among):
    """The member that all of these follow, if it is one of them."""
    led = {nodes[id].status().leader for id in among}
    return next(iter(led)) if len(led) == 1 and led <= set(among) else None


def ask(token, what):
    until(lambda: token in answers, what)
    answer = answers.pop(token)
    if answer.outcome != raftkv.DONE or answer.status != 0:
        raise raftkv.Error(answer.status, what)
    return answer.result


def put(id, key, value):
    nodes[id].propose(1, raftkv.Txn().put(key, value))
    return ask(1, "a put is answered").revision


def get(id, key):
    nodes[id].read(2)
    ask(2, "a read is answered")
    items = nodes[id].range(key).items
    return items[0].value if items else None


for node in nodes.values():
    node.bootstrap({id: b"member %d" % id for id in ids})
until(lambda: leader(ids), "a leader is elected")
first = leader(ids)
follower = next(id for id in ids if id != first)
print("libraft-kv", raftkv.version(), "- member", first, "leads")

watch = nodes[follower].watch(b"a", raftkv.prefix_end(b"a"))
revision = put(first, b"a1", b"through the leader")
put(follower, b"a2", b"through another")
assert get(follower, b"a1") == b"through the leader"
until(lambda: len(changes) == 2, "the watch sees both")
assert [c.now.key for c in changes] == [b"a1", b"a2"]
assert changes[0].revision == revision
print("watched:", ", ".join(c.now.key.decode() for c in changes))

lock = raftkv.Txn().compare(b"lock", raftkv.VERSION, raftkv.EQUAL, 0)
lock.put(b"lock", b"me").otherwise().range(b"lock")
nodes[first].propose(3, lock)
assert ask(3, "the lock is taken").succeeded
nodes[first].propose(3, lock)
second = ask(3, "it is taken once")
assert not second.succeeded and second.responses[0].items[0].value == b"me"

cut.add(first)
others = [id for id in ids if id != first]
until(lambda: leader(others), "the others elect another")
put(leader(others), b"b", b"without the first")
print("member", first, "is cut off, member", leader(others), "leads")
assert not nodes[first].range(b"b").items

cut.clear()
until(lambda: leader(ids), "the first follows again")
assert get(first, b"b") == b"without the first"


def same():
    found = [node.kv_status() for node in nodes.values()]
    return len({(s.applied, s.hash) for s in found}) == 1


until(same, "all hold the same state")
print("healed; all three have state hash %016x" % nodes[1].kv_status().hash)
for id in ids:
    nodes[id].close()
    stores[id].close()
