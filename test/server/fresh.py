# SPDX-License-Identifier: BSD-2-Clause
#
# Reads are never stale.  fresh.py BASE END: a key is written at members whose
# ports are BASE + 1 to 3, and read at them, until the file END is there and
# enough was done for the verdict to mean something: what a machine does before
# END depends on its speed, but after it the cluster is well.  A read returns
# nothing older than what was acknowledged, or read by anyone, before it began.
# Age is told by the key's mod_revision: a write that nobody heard of may still
# happen, after newer ones.  Exits with 1 when a read was stale, and with 2 when
# there were too few to tell.
import base64
import http.client
import json
import os
import random
import sys
import threading
import time

base, end = int(sys.argv[1]), sys.argv[2]
KEY = base64.b64encode(b"fresh").decode()
ENOUGH = 100
PATIENCE_S = 120  # after END, should the cluster never be well
lock = threading.Lock()
known = 0
reads = writes = 0
failures = {}
stale = []
ended = None


def going_on():
    global ended
    if ended is None and os.path.exists(end):
        ended = time.monotonic()
    if ended is None:
        return True
    few = reads < ENOUGH or writes < ENOUGH
    return few and not stale and time.monotonic() - ended < PATIENCE_S


def call(connections, path, request):
    member = random.randrange(1, 4)
    try:
        if member not in connections:
            connections[member] = http.client.HTTPConnection("127.0.0.1", base + member, timeout=5)
        connections[member].request("POST", path, json.dumps(request))
        response = connections[member].getresponse()
        body = response.read()
        if response.status == 200:
            return json.loads(body)
        failed("%s: %s" % (path, body.decode()[:100]))
    except (OSError, http.client.HTTPException, ValueError) as error:
        connections.pop(member, None)
        failed("%s: %s" % (path, type(error).__name__))
    return None


def failed(why):
    with lock:
        failures[why] = failures.get(why, 0) + 1


def learn(revision):
    global known
    with lock:
        known = max(known, revision)


def write():
    global writes
    connections, number = {}, 0
    while going_on():
        number += 1
        value = base64.b64encode(b"%d" % number).decode()
        answer = call(connections, "/v3/kv/put", {"key": KEY, "value": value})
        if answer is not None:
            learn(int(answer["header"]["revision"]))
            writes += 1


def read():
    global reads
    connections = {}
    while going_on():
        floor = known
        answer = call(connections, "/v3/kv/range", {"key": KEY})
        if answer is None:
            continue
        kvs = answer.get("kvs", [])
        found = int(kvs[0]["mod_revision"]) if kvs else 0
        if found < floor:
            stale.append((found, floor))
        with lock:
            reads += 1
        learn(found)


threads = [threading.Thread(target=write)] + [threading.Thread(target=read) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("%d reads, %d writes" % (reads, writes))
for found, floor in stale[:5]:
    print("stale: revision %d was read where %d was known before" % (found, floor))
if not stale and (reads < ENOUGH or writes < ENOUGH):
    print("not stale, but too few: %d of each are expected, and %d s after the end there were no more" % (ENOUGH, PATIENCE_S))
    for why, times in sorted(failures.items(), key=lambda item: -item[1])[:5]:
        print("failed %d times: %s" % (times, why))
    sys.exit(2)
sys.exit(1 if stale else 0)
