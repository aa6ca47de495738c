#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What a careless or hostile client may do is limited, and told so.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"
more_flags='--read-timeout 700 --max-connections 40 --watch-progress-notify-interval 500ms --auto-compaction-retention 0'

says 'a member alone serves' alone
port=${url##*:}
still_serves() { "$ctl" --endpoints "$url" put alive yes > /dev/null; }

# refused WORDS COMMAND...: fails and says WORDS.
refused() {
    words=$1
    shift
    if "$@" > "$place/said" 2>&1; then return 1; fi
    grep -q -e "$words" "$place/said" || { sed 's/^/# /' "$place/said"; return 1; }
}
head -c 1600000 /dev/zero > "$place/large"
head -c 4000000 /dev/zero > "$place/huge"
head -c 1500000 /dev/zero > "$place/fits"
put_file() { "$ctl" --endpoints "$url" put large - < "$1" > /dev/null; }
says 'a value of 1.5 MB is taken' put_file "$place/fits"
same_size() { test "$("$ctl" --endpoints "$url" get large --command-timeout 20 | wc -c)" = 1500007; }
says 'and comes back whole' same_size
says 'a command over 1.5 MiB is too large' refused 'etcdserver: request is too large' put_file "$place/large"
says 'a body over the limit is too large' refused 'etcdserver: request is too large' put_file "$place/huge"
says 'and the member still serves' still_serves

if ! command -v python3 > /dev/null; then
    skip 'raw sockets: no python3'
    exit 0
fi
cat > "$place/raw.py" <<'END'
import socket, sys, time

port, what = int(sys.argv[1]), sys.argv[2]
PATIENCE_S = 60

def dial():
    s = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    s.settimeout(PATIENCE_S)
    return s

def rest(s):
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return got
            got += part
    except (socket.timeout, ConnectionError):
        return got

def expect(got, words):
    if words not in got:
        sys.exit("expected %r, found %r" % (words, got[:300]))

def resident():
    m = dial()
    m.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    for line in rest(m).split(b"\n"):
        if line.startswith(b"process_resident_memory_bytes "):
            return int(line.split()[1])
    sys.exit("no metrics")

s = dial()
body = b'{"key":"YQ==","value":"MQ=="}'
post = b"POST /v3/kv/%s HTTP/1.1\r\nHost: x\r\n"
length = b"Content-Length: %d\r\n\r\n" % len(body)
if what == "slow":
    started = time.time()
    s.sendall(post % b"put" + b"Content-Length: 100\r\n\r\n{")
    expect(rest(s), b"408 Request Timeout")
    if time.time() - started > PATIENCE_S / 2:
        sys.exit("it took %.1f s" % (time.time() - started))
elif what == "silent":
    started = time.time()
    if rest(s):
        sys.exit("something was answered")
    if time.time() - started > PATIENCE_S / 2:
        sys.exit("it took %.1f s" % (time.time() - started))
elif what == "headers":
    s.sendall(post % b"put" + b"X-Long: " + b"a" * 40000 + b"\r\n\r\n")
    expect(rest(s), b"431 Request Header Fields Too Large")
elif what == "path":
    s.sendall(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n")
    expect(rest(s), b"414 URI Too Long")
elif what == "noise":
    s.sendall(b"\x00\x01\x02 what is this\r\n\r\n")
    expect(rest(s), b"400 Bad Request")
elif what == "http2":
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    if rest(s):
        sys.exit("something was answered")
elif what == "pipeline":
    # One after the other first: that is how quick this machine is.
    single = dial()
    started = time.time()
    for _ in range(50):
        single.sendall(post % b"put" + length + body)
        expect(single.recv(65536), b"200 OK")
    allowed = 2 * (time.time() - started) + 2
    started = time.time()
    s.sendall((post % b"put" + length + body) * 50)
    s.sendall(post % b"range" + b"Connection: close\r\n" + length + body)
    got = rest(s)
    if got.count(b"HTTP/1.1 200 OK") != 51:
        sys.exit("%d answers" % got.count(b"HTTP/1.1 200 OK"))
    expect(got[-400:], b'"count":"1"')
    if time.time() - started > allowed:
        sys.exit("it took %.1f s of %.1f s" % (time.time() - started, allowed))
elif what == "half closed":
    s.sendall((post % b"put" + length + body) * 20)
    s.shutdown(socket.SHUT_WR)
    got = rest(s).count(b"HTTP/1.1 200 OK")
    if got != 20:
        sys.exit("%d answers" % got)
elif what == "half closed behind a line":
    s.settimeout(PATIENCE_S)
    s.sendall(post % b"put" + length + body + b"\r\n")
    s.shutdown(socket.SHUT_WR)
    got = b""
    while True:
        part = s.recv(65536)
        if not part:
            break
        got += part
    expect(got, b"HTTP/1.1 200 OK")
elif what == "kept alive":
    ours = "0100007F:%04X 0100007F:%04X 01" % (port, s.getsockname()[1])
    until = time.time() + PATIENCE_S
    while time.time() < until:
        for line in open("/proc/net/tcp"):
            if ours in line and line.split()[5].startswith("02:"):
                sys.exit(0)
        time.sleep(0.05)
    sys.exit("no keepalive timer runs for the connection")
elif what == "piecemeal":
    for byte in post % b"put" + length + body:
        s.sendall(bytes([byte]))
    expect(s.recv(65536), b"200 OK")
elif what == "chunked":
    s.sendall(post % b"put" + b"Transfer-Encoding: chunked\r\n\r\n")
    for byte in body:
        s.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
    s.sendall(b"0\r\n\r\n")
    expect(s.recv(65536), b"200 OK")
elif what == "continue":
    s.sendall(post % b"put" + b"Expect: 100-continue\r\n" + length)
    expect(s.recv(65536), b"100 Continue")
    s.sendall(body)
    expect(s.recv(65536), b"200 OK")
elif what == "old":
    s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
    expect(rest(s), b'{"health":"true","reason":""}')
elif what == "crowd":
    crowd = [dial() for _ in range(150)]
    expect(rest(crowd[-1]), b"503 Service Unavailable")
elif what == "stream":
    first = b'{"create_request":{"key":"cw=="}}'
    second = b'{"create_request":{"key":"dA==","watch_id":"7"}}{"cancel_request":{"watch_id":"7"}}'
    s.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    s.sendall(b"%x\r\n%s\r\n" % (len(first), first))
    expect(s.recv(65536), b'"created":true}}\n')
    s.sendall(b"%x\r\n%s\r\n" % (len(second), second))
    got = b""
    while b'"canceled":true' not in got:
        got += s.recv(65536)
    expect(got, b'"watch_id":"7","created":true}}\n')
    s.sendall(b"4\r\nnone\r\n")
    expect(rest(s), b'{"error":{"grpc_code":3,"http_code":400,')
elif what == "slow watcher":
    s.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: 41\r\n\r\n"
              b'{"create_request":{"key":"Yg==","id":0}} ')
    expect(s.recv(65536), b'"created":true}}\n')
    writer = dial()
    value = b'{"key":"Yg==","value":"' + b"QUFB" * 100000 + b'"}'
    rounds = 40
    for i in range(rounds):
        writer.sendall(post % b"put" + b"Content-Length: %d\r\n\r\n" % len(value) + value)
        expect(writer.recv(65536), b"200 OK")
    got, events = b"", 0
    while events < rounds:
        part = s.recv(1 << 20)
        if not part:
            sys.exit("the watch ended after %d events" % events)
        got = got[-20:] + part
        events += got.count(b'"events":[') - got[:20].count(b'"events":[')
elif what == "glutton":
    before = resident()
    key = b'{"key":"bGFyZ2U="}'
    ask = post % b"range" + b"Content-Length: %d\r\n\r\n" % len(key) + key
    s.sendall(ask * 150)
    grown, earlier = resident() - before, 0
    while grown - earlier > 1e6 and grown <= 60e6:
        time.sleep(0.5)
        grown, earlier = resident() - before, grown
    if grown > 60e6:
        sys.exit("answers nobody reads take %d MB" % (grown / 1e6))
    got = 0
    while got < 150 * 2000000:
        part = s.recv(1 << 20)
        if not part:
            sys.exit("the answers ended after %d bytes" % got)
        got += len(part)
elif what == "progress":
    s.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    def say(text):
        s.sendall(b"%x\r\n%s\r\n" % (len(text), text))
    def hear(words):
        got = b""
        while words not in got:
            part = s.recv(65536)
            if not part:
                sys.exit("expected %r, found %r" % (words, got[-300:]))
            got += part
        return got
    say(b'{"create_request":{"key":"cXVpZXQ=","progress_notify":true}}')
    hear(b'"created":true}}\n')
    got = hear(b"}}\n")
    if b"events" in got or b"watch_id" in got or b'"revision":"' not in got:
        sys.exit("no note of progress: %r" % got)
    say(b'{"progress_request":{}}')
    hear(b',"watch_id":"-1"}}\n')
elif what == "fragments":
    def call(connection, path, text):
        connection.sendall(post % path + b"Content-Length: %d\r\n\r\n" % len(text) + text)
        expect(connection.recv(65536), b"200 OK")
    writer, whole = dial(), dial()
    for connection, more in (s, b',"fragment":true'), (whole, b""):
        text = b'{"create_request":{"key":"Zi8=","range_end":"ZjA=","prev_kv":true%s}}' % more
        connection.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        expect(connection.recv(65536), b'"created":true}}\n')
    for n in b"ABC":
        call(writer, b"put", b'{"key":"Zi9%c","value":"%s"}' % (n, b"QUFB" * 300000))
    call(writer, b"deleterange", b'{"key":"Zi8=","range_end":"ZjA="}')
    def lines_of_delete(connection):
        got, first = b"", None
        while got.count(b"DELETE") < 3 or not got.endswith(b"}}\n\r\n"):
            part = connection.recv(1 << 20)
            if not part:
                sys.exit("the watch ended: %r" % got[-300:])
            got += part
        lines = [line for line in got.split(b"\n") if b"DELETE" in line]
        return [(line.count(b"DELETE"), b'"fragment":true' in line) for line in lines]
    found = lines_of_delete(s), lines_of_delete(whole)
    if found != ([(2, True), (1, False)], [(3, False)]):
        sys.exit("found %r" % (found,))
elif what == "quiet watch":
    s.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    both = b'{"create_request":{"key":"Yg=="}}{"create_request":{"key":"cXVpZXQ="}}'
    s.sendall(b"%x\r\n%s\r\n" % (len(both), both))
    got = b""
    while got.count(b'"created":true') < 2:
        got += s.recv(65536)
    # What a watch that asked is told, all watches are as far as.
    noted = dial()
    ask = b'{"create_request":{"key":"bm90ZWQ=","progress_notify":true}}'
    noted.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ask) + ask)
    expect(noted.recv(65536), b'"created":true')
    writer = dial()
    def call(path, text):
        writer.sendall(post % path + b"Content-Length: %d\r\n\r\n" % len(text) + text)
        got = writer.recv(65536)
        expect(got, b"200 OK")
        return int(got.split(b'"revision":"')[1].split(b'"')[0])
    for _ in range(10):
        revision = call(b"put", body)
    while b'"revision":"%d"' % revision not in noted.recv(65536):
        pass
    call(b"compaction", b'{"revision":"%d"}' % revision)
    value = b'{"key":"Yg==","value":"' + b"QUFB" * 100000 + b'"}'
    for _ in range(40):
        call(b"put", value)
    while got.count(b'"events":[') < 40:
        part = s.recv(1 << 20)
        if not part or b'"canceled"' in got:
            sys.exit("the watch ended: %r" % got[-300:])
        got += part
    s.settimeout(0.5)
    if b'"canceled"' in got or b'"canceled"' in rest(s):
        sys.exit("the quiet watch was canceled")
elif what == "wrong door":
    s.sendall(b"GET /health HTTP/1.1\r\n\r\n")
    if rest(s):
        sys.exit("something was answered")
elif what == "old hello":
    s.sendall(b"PKV\x01" + (1).to_bytes(4, "little") + bytes(40))
    got = rest(s)
    if len(got) != 80 or got[:8] != b"PKV\x01" + (2).to_bytes(4, "little"):
        sys.exit("no hello of version 2: %r" % got)
elif what == "strangers":
    # Whoever says no hello is hung up on after five seconds, however few they
    # are: those above the limit go before that, unless this machine is slow.
    def hung_up(crowd):
        gone = 0
        for c in crowd:
            try:
                gone += c.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionError:
                gone += 1
        return gone
    for _ in range(5):
        started, crowd = time.time(), []
        for _ in range(100):
            crowd.append(dial())
            try:
                crowd[-1].sendall(b"PKV")
            except ConnectionError:
                pass
            crowd[-1].setblocking(False)
        while time.time() - started < 4:
            if hung_up(crowd) >= 60:
                sys.exit(0)
            time.sleep(0.05)
        for c in crowd:
            c.close()
    sys.exit("a hundred strangers are too many, and were not hung up on")
elif what == "chatter":
    before = resident()
    bad = b'{"create_request":{"key":"Yg==","range_end":"YQ=="}}' * 1000
    s.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    s.settimeout(1)
    try:
        for _ in range(1000):
            s.sendall(b"%x\r\n%s\r\n" % (len(bad), bad))
        sys.exit("a million requests were taken, and no answer read")
    except socket.timeout:
        pass
    grown = resident() - before
    if grown > 30e6:
        sys.exit("answers nobody reads take %d MB" % (grown / 1e6))
END
raw() { timeout "$patience" python3 "$place/raw.py" "$port" "$1" > "$place/said" 2>&1 || { sed 's/^/# /' "$place/said"; return 1; }; }
says 'half a request is not waited for' raw slow
says 'a client that says nothing is hung up on' raw silent
says 'headers have a limit' raw headers
says 'a path has a limit' raw path
says 'noise is refused' raw noise
says 'HTTP/2 is hung up on' raw http2
says 'and the log says why' grep -q 'speaks HTTP/2, which is not there yet' "$place/n1.log"
told_once() { test "$(grep -c 'speaks HTTP/2' "$place/n1.log")" = 1; }
says 'once' raw http2
says 'and only once in a while' told_once
says 'pipelined requests are answered in order' raw pipeline
says 'a client may end its half and get all its answers' raw 'half closed'
says 'and is hung up on, whatever it sent last' raw 'half closed behind a line'
if test -r /proc/net/tcp; then
    says 'an idle client is asked whether it is still there' raw 'kept alive'
else
    skip 'an idle client is asked whether it is still there: no /proc/net/tcp'
fi
says 'a request may come byte by byte' raw piecemeal
says 'a body may come in chunks' raw chunked
says 'a client may ask before it sends a body' raw continue
says 'HTTP/1.0 is served' raw old
says 'one connection too many is refused' raw crowd
says 'a watch takes requests while it runs, and nonsense ends it' raw stream
says 'a watcher that does not read loses nothing' raw 'slow watcher'
says 'a watch is told how far it is, if it asked' raw progress
says 'a large response comes in fragments, if it may' raw fragments
says 'a quiet watch is not lost to a compaction' raw 'quiet watch'
says 'answers that are not read are bounded' raw glutton
says 'and so are those of a stream' raw chatter
says 'and the member still serves' soon still_serves
client_port=$port
port=$(sed -n 's/^peer .*://p' "$place/n1/addresses")
says 'a client at the wrong door is hung up on' raw 'wrong door'
says 'and the log says so' grep -q 'a peer port was called by something else.*client URLs' "$place/n1.log"
# What strangers do is logged once a second.
version_named() {
    raw 'old hello' && grep -q 'msg="a peer speaks another protocol" .*expected_version=2 found=1 do=' "$place/n1.log"
}
says 'a peer of another version is told ours, and the log says so' soon version_named
says 'strangers at the door of peers are few' raw strangers
port=$client_port
says 'and the member serves' soon still_serves

# A member with hardly any file descriptors keeps those it needs itself.
kill -KILL "$pid1"
wait "$pid1" 2>/dev/null || :
cat > "$place/few" <<END
#!/bin/sh
ulimit -n 100
exec "$daemon" "\$@"
END
chmod +x "$place/few"
daemon=$place/few more_flags=--max-connections=5000
: > "$place/n1.log"
says 'a member with 100 file descriptors serves' alone
port=${url##*:}
says 'and says how many clients that leaves' grep -q 'limit=50 .*ulimit -n' "$place/n1.log"
says 'one connection too many is refused there too' raw crowd
says 'and it still serves' soon still_serves
