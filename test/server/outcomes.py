# SPDX-License-Identifier: BSD-2-Clause
#
# What clients are told when their server is told to stop.  outcomes.py stop
# PORT PID FILE: clients put keys at PORT, PID is given SIGTERM meanwhile, and
# FILE gets a line for each key: what its client was told.  outcomes.py compare
# PORT FILE: whether that was true, asked at PORT, and whether each was told;
# with "or-unknown" nobody need be, as when there is no leader for a while.
import base64
import http.client
import json
import os
import signal
import sys
import threading
import time

CLIENTS = 24
ENOUGH = 4 * CLIENTS
PATIENCE_S = 120


def b64(text):
    return base64.b64encode(text.encode()).decode()


def put(connection, key):
    connection.request("POST", "/v3/kv/put", json.dumps({"key": b64(key), "value": b64(key)}))
    response = connection.getresponse()
    body = response.read().decode()
    if response.status == 200:
        return "done"
    if "etcdserver: request timed out" in body:
        return "unknown"
    return "not-done"


def client(port, number, said):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    for i in range(100000):
        key = "outcome/%d/%d/%d" % (os.getpid(), number, i)
        try:
            outcome = put(connection, key)
        except (OSError, http.client.HTTPException):
            outcome = "unanswered"
        said.append((outcome, key))
        if outcome != "done":
            return


def done(said):
    return sum(outcome == "done" for outcome, _ in list(said))


def stop(port, pid, path):
    said = []
    threads = [threading.Thread(target=client, args=(port, n, said)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE_S
    while done(said) < ENOUGH and time.monotonic() < until:
        time.sleep(0.02)
    busy = done(said)
    os.kill(pid, signal.SIGTERM)
    for thread in threads:
        thread.join()
    with open(path, "w") as file:
        for outcome, key in said:
            file.write("%s %s\n" % (outcome, key))
    if busy < ENOUGH:
        sys.exit("hardly anything was done in %d s: %r" % (PATIENCE_S, said[:10]))


def compare(port, path, may_be_unknown):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    asked = {"key": b64("outcome/"), "range_end": b64("outcome0"), "keys_only": True}
    connection.request("POST", "/v3/kv/range", json.dumps(asked))
    answer = json.loads(connection.getresponse().read())
    there = {base64.b64decode(kv["key"]).decode() for kv in answer.get("kvs", [])}
    wrong = 0
    for line in open(path):
        outcome, key = line.split()
        if outcome == "unknown":
            lie = not may_be_unknown
        else:
            lie = (key in there) != (outcome == "done")
        if lie:
            print("%s: %s, and it is %sthere" % (key, outcome, "" if key in there else "not "))
            wrong += 1
    sys.exit(1 if wrong else 0)


if sys.argv[1] == "stop":
    stop(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    compare(int(sys.argv[2]), sys.argv[3], "or-unknown" in sys.argv)
