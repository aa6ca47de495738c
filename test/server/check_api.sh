#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Every path of the JSON API against what etcd would answer.  Ids, terms and
# hashes are replaced before they are compared: HEADER@R is a header with
# revision R, HEADER one without.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

normal() {
    sed -e 's/"cluster_id":"[0-9]*","member_id":"[0-9]*"/IDS/g' \
        -e 's/{IDS,"revision":"\([0-9]*\)","raft_term":"[0-9]*"}/HEADER@\1/g' \
        -e 's/{IDS,"raft_term":"[0-9]*"}/HEADER/g'
}

# gives NAME PATH BODY EXPECTED: "STATUS ANSWER", normalised.  BODY - is a GET.
gives() {
    if [ "$3" = - ]; then
        "$ctl" --endpoints "$url" call "$2" > "$place/raw" 2>&1 || :
    else
        printf '%s' "$3" | "$ctl" --endpoints "$url" call "$2" - > "$place/raw" 2>&1 || :
    fi
    normal < "$place/raw" > "$place/found"
    printf '%s\n' "$4" > "$place/expected"
    if cmp -s "$place/expected" "$place/found"; then
        ok "$1"
    else
        echo "# expected $(cat "$place/expected")"
        echo "# found    $(cat "$place/found")"
        not_ok "$1"
    fi
}
error() { printf '%s {"error":"%s","message":"%s","code":%s}' "$1" "$3" "$3" "$2"; }

says 'a member alone serves' alone
K=/v3/kv

gives 'health' /health - '200 {"health":"true","reason":""}'
gives 'health of what runs' '/health?serializable=true' - '200 {"health":"true","reason":""}'
gives 'health of what runs, and more that is asked' '/health?exclude=NOSPACE&serializable=true' - \
    '200 {"health":"true","reason":""}'
gives 'livez' /livez - '200 ok
'
gives 'readyz' /readyz - '200 ok
'
gives 'an absent key' $K/range '{"key":"bm9uZQ=="}' '200 {"header":HEADER@1}'
gives 'hashkv of a fresh store' /v3/maintenance/hashkv '{}' \
    '200 {"header":HEADER@1,"hash":1084519789,"compact_revision":"-1","hash_revision":"1"}'
gives 'put a=1' $K/put '{"key":"YQ==","value":"MQ=="}' '200 {"header":HEADER@2}'
gives 'put a=2 with what was there' $K/put '{"key":"YQ==","value":"Mg==","prev_kv":true}' \
    '200 {"header":HEADER@3,"prev_kv":{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1","value":"MQ=="}}'
gives 'delete a' $K/deleterange '{"key":"YQ=="}' '200 {"header":HEADER@4,"deleted":"1"}'
gives 'put b=x in lowerCamelCase, with unknown fields and null' $K/put \
    '{"key":"Yg==","value":"eA==","prevKv":true,"lease":null,"other":[1,{"a":2}]}' '200 {"header":HEADER@5}'
gives 'hashkv now, as etcd has it' /v3/maintenance/hashkv '{}' \
    '200 {"header":HEADER@5,"hash":323556781,"compact_revision":"-1","hash_revision":"5"}'
gives 'hashkv then, as etcd has it' /v3/maintenance/hashkv '{"revision":"3"}' \
    '200 {"header":HEADER@5,"hash":535221974,"compact_revision":"-1","hash_revision":"3"}'
gives 'a range of the past' $K/range '{"key":"YQ==","revision":3}' \
    '200 {"header":HEADER@5,"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"Mg=="}],"count":"1"}'
gives 'compaction' $K/compaction '{"revision":"4","physical":true}' '200 {"header":HEADER@5}'
gives 'hashkv after it, as etcd has it' /v3/maintenance/hashkv '{}' \
    '200 {"header":HEADER@5,"hash":376657901,"compact_revision":"4","hash_revision":"5"}'
gives 'a range before it' $K/range '{"key":"YQ==","revision":"3"}' \
    "$(error 400 11 'etcdserver: mvcc: required revision has been compacted')"
gives 'compaction again' $K/compaction '{"revision":"4"}' \
    "$(error 400 11 'etcdserver: mvcc: required revision has been compacted')"
gives 'compaction of the future' $K/compaction '{"revision":"99"}' \
    "$(error 400 11 'etcdserver: mvcc: required revision is a future revision')"
gives 'a range of the future' $K/range '{"key":"YQ==","revision":"99"}' \
    "$(error 400 11 'etcdserver: mvcc: required revision is a future revision')"

gives 'a transaction with every operation' $K/txn \
    '{"compare":[{"key":"Yg==","target":"VALUE","result":"EQUAL","value":"eA=="},{"key":"bm9uZQ==","target":1,"create_revision":"0"}],
      "success":[{"request_put":{"key":"Yw==","value":"MQ=="}},{"requestRange":{"key":"Yg=="}},
                 {"request_delete_range":{"key":"Yg==","prev_kv":true}},{"request_txn":{"success":[{"request_put":{"key":"ZA=="}}]}}],
      "failure":[{"request_range":{"key":"Yg=="}}]}' \
    '200 {"header":HEADER@6,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"6"}}},{"response_range":{"header":{"revision":"6"},"kvs":[{"key":"Yg==","create_revision":"5","mod_revision":"5","version":"1","value":"eA=="}],"count":"1"}},{"response_delete_range":{"header":{"revision":"6"},"deleted":"1","prev_kvs":[{"key":"Yg==","create_revision":"5","mod_revision":"5","version":"1","value":"eA=="}]}},{"response_txn":{"header":{},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"6"}}}]}}]}'
gives 'a transaction whose comparison fails' $K/txn \
    '{"compare":[{"key":"Yw==","target":"VERSION","result":"GREATER","version":"7"}],"success":[{"request_put":{"key":"eg=="}}]}' \
    '200 {"header":HEADER@6}'
gives 'a transaction that puts a key twice' $K/txn '{"success":[{"request_put":{"key":"eg=="}},{"request_put":{"key":"eg=="}}]}' \
    "$(error 400 3 'etcdserver: duplicate key given in txn request')"
gives 'a transaction with an empty operation' $K/txn '{"success":[{}]}' "$(error 400 3 'etcdserver: key not found')"
ops=$(awk 'BEGIN { for (i = 0; i < 129; i++) printf "%s{\"request_range\":{\"key\":\"YQ==\"}}", i ? "," : "" }')
gives 'a transaction of 129 operations' $K/txn "{\"success\":[$ops]}" \
    "$(error 400 3 'etcdserver: too many operations in txn request')"

gives 'all keys' $K/range '{"key":"AA==","range_end":"AA=="}' \
    '200 {"header":HEADER@6,"kvs":[{"key":"Yw==","create_revision":"6","mod_revision":"6","version":"1","value":"MQ=="},{"key":"ZA==","create_revision":"6","mod_revision":"6","version":"1"}],"count":"2"}'
gives 'the last one first, one only' $K/range '{"key":"AA==","range_end":"AA==","sort_order":"DESCEND","limit":1,"keys_only":true}' \
    '200 {"header":HEADER@6,"kvs":[{"key":"ZA==","create_revision":"6","mod_revision":"6","version":"1"}],"more":true,"count":"2"}'
gives 'by value, as a number of the enum' $K/range '{"key":"AA==","range_end":"AA==","sort_target":4,"keys_only":true}' \
    '200 {"header":HEADER@6,"kvs":[{"key":"ZA==","create_revision":"6","mod_revision":"6","version":"1"},{"key":"Yw==","create_revision":"6","mod_revision":"6","version":"1"}],"count":"2"}'
gives 'one of two, and more' $K/range '{"key":"AA==","range_end":"AA==","limit":"1","serializable":true}' \
    '200 {"header":HEADER@6,"kvs":[{"key":"Yw==","create_revision":"6","mod_revision":"6","version":"1","value":"MQ=="}],"more":true,"count":"2"}'
gives 'how many' $K/range '{"key":"AA==","range_end":"AA==","count_only":true}' '200 {"header":HEADER@6,"count":"2"}'
gives 'none below a revision' $K/range '{"key":"AA==","range_end":"AA==","max_create_revision":"5"}' '200 {"header":HEADER@6,"count":"2"}'
gives 'an end before the key' $K/range '{"key":"Yw==","range_end":"YQ=="}' '200 {"header":HEADER@6}'
gives 'deleting nothing' $K/deleterange '{"key":"bm9uZQ=="}' '200 {"header":HEADER@6}'
gives 'the value kept' $K/put '{"key":"Yw==","ignore_value":true}' '200 {"header":HEADER@7}'
gives 'no value to keep' $K/put '{"key":"bm9uZQ==","ignore_value":true}' "$(error 400 3 'etcdserver: key not found')"
gives 'a value to keep and one to put' $K/put '{"key":"Yw==","value":"eA==","ignore_value":true}' \
    "$(error 400 3 'etcdserver: value is provided')"
gives 'a lease that is not' $K/put '{"key":"Yw==","lease":"7"}' "$(error 404 5 'etcdserver: requested lease not found')"
gives 'url-safe base64 without padding' $K/put '{"key":"_-8","value":"Zg"}' '200 {"header":HEADER@8}'

gives 'no key to range' $K/range '' "$(error 400 3 'etcdserver: key is not provided')"
gives 'no key to put' $K/put '{}' "$(error 400 3 'etcdserver: key is not provided')"
gives 'no key to delete' $K/deleterange '{"key":""}' "$(error 400 3 'etcdserver: key is not provided')"
gives 'what is no JSON' $K/range 'garbage' "$(error 400 3 "invalid character 'g' looking for beginning of value")"
gives 'JSON that ends early' $K/range '{"key":' "$(error 400 3 'unexpected end of JSON input')"
gives 'two values' $K/range '{"key":"YQ=="}{}' "$(error 400 3 'invalid character after top-level value')"
gives 'bad base64' $K/range '{"key":"YQ=!"}' "$(error 400 3 'illegal base64 data at input byte 2')"
gives 'a key that is a number' $K/range '{"key":7}' "$(error 400 3 'key wants a string')"
gives 'a revision that is no number' $K/range '{"key":"YQ==","revision":"1.5"}' \
    "$(error 400 3 'revision wants a whole number in its range')"
gives 'an order that is none' $K/range '{"key":"YQ==","sort_order":"BAD"}' \
    '400 {"error":"unknown value \"BAD\" for enum etcdserverpb.RangeRequest_SortOrder","message":"unknown value \"BAD\" for enum etcdserverpb.RangeRequest_SortOrder","code":3}'
gives 'an order beyond the enum' $K/range '{"key":"YQ==","sort_order":9}' "$(error 400 3 'etcdserver: invalid sort option')"
deep=$(awk 'BEGIN { for (i = 0; i < 100; i++) printf "["; }')
gives 'values nested too deeply' $K/range "$deep" "$(error 400 3 'values are nested too deeply at byte 64')"

gives 'the old prefixes' /v3alpha/kv/range '{"key":"YQ=="}' '200 {"header":HEADER@8}'
gives 'the beta prefix' /v3beta/kv/range '{"key":"YQ=="}' '200 {"header":HEADER@8}'
gives 'a path that is not' /v3/kv/nothing '{}' '404 Not Found
'
gives 'a GET of what wants POST' /v3/kv/range - '405 Method Not Allowed
'
gives 'a method that is not there yet' /v3/lease/grant '{"TTL":"5"}' \
    "$(error 501 12 'LeaseGrant of etcdserverpb.Lease is not there yet in this version of raftkvd')"

# What has free numbers in it is looked at by its fields.
has() {
    name=$1 path=$2 body=$3
    shift 3
    if [ "$body" = - ]; then
        "$ctl" --endpoints "$url" call "$path" > "$place/raw" 2>&1 || :
    else
        "$ctl" --endpoints "$url" call "$path" "$body" > "$place/raw" 2>&1 || :
    fi
    for word; do
        if ! grep -q -e "$word" "$place/raw"; then
            sed 's/^/# /' "$place/raw" | head -n 20
            not_ok "$name: $word"
            return
        fi
    done
    ok "$name"
}
has 'version' /version - '"etcdserver":"3\.5\.[0-9]*"' '"etcdcluster":"3\.5\.0"' '"raftkvd":"'
has 'status' /v3/maintenance/status '{}' '"version":"3\.5\.' '"leader":"' '"raftIndex":"' '"raftTerm":"' '"raftAppliedIndex":"' '"stateHash":"' '"revision":"8"'
listed() { "$ctl" --endpoints "$url" member list | grep -q ', started, n1, http://127.0.0.1:[0-9]*, http://127.0.0.1:[0-9]*, false'; }
says 'a member publishes its client URLs' soon listed
has 'member list' /v3/cluster/member/list '{"linearizable":true}' '"name":"n1"' '"peerURLs":\["http://' '"clientURLs":\["http://'
has 'metrics' /metrics - '^etcd_server_has_leader 1' '^etcd_server_is_leader 1' '^etcd_mvcc_put_total ' \
    '^etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"}' '^etcd_server_proposals_committed_total ' '^process_resident_memory_bytes ' \
    '^etcd_server_id{server_id="[0-9a-f]*"} 1$' '^etcd_server_version{server_version="3.5.30"} 1$' \
    '^etcd_cluster_version{cluster_version="3.5"} 1$' '^process_open_fds [1-9]' '^process_max_fds [1-9]' \
    '^process_start_time_seconds 1[0-9]\{9\}$' \
    '^grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 5$' \
    '^grpc_server_handled_total{grpc_code="OK",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 2$' \
    '^grpc_server_handled_total{grpc_code="InvalidArgument",grpc_method="Txn",.*} 3$' \
    '^grpc_server_handled_total{grpc_code="Unimplemented",grpc_method="LeaseGrant",.*} 1$'

# Watches: what a stream says, line by line.
# stream NAME KEY FLAGS...: the raw lines of a watch that ends by itself.
stream() {
    name=$1
    shift
    cat > "$place/expected"
    timeout "$patience" "$ctl" --endpoints "$url" -w json watch "$@" 2> "$place/errors" | normal > "$place/found" || :
    if cmp -s "$place/expected" "$place/found"; then
        ok "$name"
    else
        diff "$place/expected" "$place/found" | sed 's/^/# /' || :
        not_ok "$name"
    fi
}
"$ctl" --endpoints "$url" put w 1 > /dev/null
"$ctl" --endpoints "$url" put w 2 > /dev/null
"$ctl" --endpoints "$url" del w > /dev/null
stream 'a watch of history, with what was there before' w --rev 9 --prev-kv --limit 3 <<'END'
{"result":{"header":HEADER@11,"created":true}}
{"result":{"header":HEADER@9,"events":[{"kv":{"key":"dw==","create_revision":"9","mod_revision":"9","version":"1","value":"MQ=="}}]}}
{"result":{"header":HEADER@10,"events":[{"kv":{"key":"dw==","create_revision":"9","mod_revision":"10","version":"2","value":"Mg=="},"prev_kv":{"key":"dw==","create_revision":"9","mod_revision":"9","version":"1","value":"MQ=="}}]}}
{"result":{"header":HEADER@11,"events":[{"type":"DELETE","kv":{"key":"dw==","mod_revision":"11"},"prev_kv":{"key":"dw==","create_revision":"9","mod_revision":"10","version":"2","value":"Mg=="}}]}}
END
stream 'a watch of history that is compacted' w --rev 2 <<'END'
{"result":{"header":HEADER@11,"created":true}}
{"result":{"header":HEADER,"canceled":true,"compact_revision":"4"}}
END
printf 'put w/1 a\nput w/2 b\n' > "$place/ops"
{ echo; cat "$place/ops"; echo; } | "$ctl" --endpoints "$url" txn > /dev/null
stream 'the changes of one transaction come together' w/ --prefix --rev 12 --limit 2 <<'END'
{"result":{"header":HEADER@12,"created":true}}
{"result":{"header":HEADER@12,"events":[{"kv":{"key":"dy8x","create_revision":"12","mod_revision":"12","version":"1","value":"YQ=="}},{"kv":{"key":"dy8y","create_revision":"12","mod_revision":"12","version":"1","value":"Yg=="}}]}}
END
