/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/server/units.c - build/check-server-units: the server's pure parts,
 * which are base64, JSON, messages, URLs and clusters here, and what has a
 * file of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <check.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/etcd.h"
#include "common/url.h"
#include "daemon/cluster.h"

TCase *tcase_lives(void);
TCase *tcase_statuses(void);

/* ---- base64 ---- */

static bool decodes_to(const char *text, const char *expected)
{
    char copy[64];
    size_t len = strlen(text), out, bad;

    memcpy(copy, text, len + 1);
    return base64_decode(copy, len, &out, &bad) == 0 &&
           out == strlen(expected) && memcmp(copy, expected, out) == 0;
}

static size_t refused_at(const char *text)
{
    char copy[64];
    size_t len = strlen(text), out, bad = 999;

    memcpy(copy, text, len + 1);
    return base64_decode(copy, len, &out, &bad) == 0 ? 999 : bad;
}

START_TEST(base64_is_read_in_both_alphabets)
{
    ck_assert(decodes_to("", ""));
    ck_assert(decodes_to("Zg==", "f"));
    ck_assert(decodes_to("Zm8=", "fo"));
    ck_assert(decodes_to("Zm9v", "foo"));
    ck_assert(decodes_to("Zg", "f"));
    ck_assert(decodes_to("Zm8", "fo"));
    ck_assert(decodes_to("-_-_", "\xfb\xff\xbf"));
    ck_assert(decodes_to("+/+/", "\xfb\xff\xbf"));
    ck_assert(refused_at("Z!==") == 1);
    ck_assert(refused_at("=") == 0);
    ck_assert(refused_at("Zm9vZ") == 5);
    ck_assert(refused_at("Zg==Zg==") == 2);
    ck_assert(refused_at("Zm9=v") == 3);
}
END_TEST

START_TEST(base64_gives_every_byte_back)
{
    unsigned char all[256];
    struct buffer text = {0};

    for (size_t len = 0; len <= sizeof all; len++) {
        for (size_t i = 0; i < len; i++)
            all[i] = (unsigned char)(i * 7 + len);
        size_t out, bad;
        text.len = 0;
        base64_encode(&text, all, len);
        ck_assert(text.len == (len + 2) / 3 * 4);
        ck_assert(base64_decode(text.at, text.len, &out, &bad) == 0);
        ck_assert(out == len && (len == 0 || memcmp(text.at, all, len) == 0));
    }
    buffer_free(&text);
}
END_TEST

/* ---- JSON ---- */

static const char *error_of(const char *text)
{
    static struct json json;
    json_t *value = json_read(&json, text, strlen(text));

    json_decref(value);
    return value ? "" : json.error;
}

START_TEST(json_is_read_strictly)
{
    static const char *const good[] = {
        "{}", "[]", " [1, -2.5e+3 ,0, \"x\", true, false, null] ",
        "{\"a\":{\"b\":[{}]}}", "\"\\u00e9\\ud83d\\ude00\\n\\\\\""};
    static const char *const bad[] = {
        "{a:1}",       "01",       "1.",    "-",     "1e",        "tru",
        "\"\\x\"",     "[1,]",     "'a'",   "[1 2]", "nul",       "\"\\u12g4\"",
        "\"\\ud800\"", "\"\xff\"", "1e999", "[01]",  "{\"a\":1,}"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert(strcmp(error_of(good[i]), "") == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert(strcmp(error_of(bad[i]), "") != 0);
}
END_TEST

START_TEST(json_errors_have_the_words_of_the_gateway)
{
    static const char *const early[] = {"", "{", "[1,", "{\"a\"", "\"a"};

    for (size_t i = 0; i < sizeof early / sizeof *early; i++)
        ck_assert(strcmp(error_of(early[i]), "unexpected end of JSON input") ==
                  0);
    ck_assert(strcmp(error_of("{} {}"),
                     "invalid character after top-level value") == 0);
    ck_assert(strcmp(error_of(" g"),
                     "invalid character 'g' looking for beginning of value") ==
              0);
    ck_assert(strcmp(error_of("\x01"), "invalid character '\\x01' looking for "
                                       "beginning of value") == 0);
    ck_assert(strstr(error_of("{\"a\":x}"), "'x'") != NULL);
    ck_assert(strstr(error_of("{\"a\":x}"), "at byte 6") != NULL);
}
END_TEST

START_TEST(json_numbers_are_exact)
{
    static const struct {
        const char *text;
        int64_t number;
        bool fits;
    } i64[] = {
        {"\"9223372036854775807\"", INT64_MAX, true},
        {"9223372036854775807", INT64_MAX, true},
        {"\"-9223372036854775808\"", INT64_MIN, true},
        {"-9223372036854775808", INT64_MIN, true},
        {"\"9007199254740993\"", 9007199254740993, true},
        {"9007199254740993", 9007199254740993, true},
        {"\"9223372036854775808\"", 0, false},
        {"\"-9223372036854775809\"", 0, false},
        {"\"\"", 0, false},
        {"\"-\"", 0, false},
        {"\"1.0\"", 0, false},
        {"\"+1\"", 0, false},
        {"\" 1\"", 0, false},
        {"1.0", 0, false},
        {"1e3", 0, false},
        {"true", 0, false},
        {"[1]", 0, false},
    };
    struct json json = {0};

    for (size_t i = 0; i < sizeof i64 / sizeof *i64; i++) {
        int64_t found = 0;
        json_t *value = json_read(&json, i64[i].text, strlen(i64[i].text));
        ck_assert(value != NULL);
        ck_assert((json_i64(value, &found) == 0) == i64[i].fits);
        ck_assert(found == i64[i].number);
        json_decref(value);
    }
    ck_assert(json_read(&json, "9223372036854775808", 19) == NULL);
}
END_TEST

START_TEST(json_numbers_without_a_sign_reach_64_bits)
{
    static const struct {
        const char *text;
        uint64_t number;
        bool fits;
    } u64[] = {
        {"\"18446744073709551615\"", UINT64_MAX, true},
        {"9223372036854775807", INT64_MAX, true},
        {"\"0\"", 0, true},
        {"\"18446744073709551616\"", 0, false},
        {"\"-1\"", 0, false},
        {"-1", 0, false},
        {"1.5", 0, false},
    };
    struct json json = {0};

    for (size_t i = 0; i < sizeof u64 / sizeof *u64; i++) {
        uint64_t found = 0;
        json_t *value = json_read(&json, u64[i].text, strlen(u64[i].text));
        ck_assert((json_u64(value, &found) == 0) == u64[i].fits);
        ck_assert(found == u64[i].number);
        json_decref(value);
    }
}
END_TEST

/* As if text came byte by byte. */
static size_t end_of_first(const char *text, size_t len, int *rc)
{
    struct json_scan scan = {0};
    struct json json = {0};

    *rc = JSON_PART;
    for (size_t have = 0; have <= len && *rc == JSON_PART; have++)
        *rc = json_scan(&json, &scan, text, have);
    return scan.at;
}

START_TEST(json_values_of_a_stream_are_found)
{
    static const char two[] = " {\"a\":\"}\\\"{\"} [1]";
    int rc;

    ck_assert(end_of_first(two, sizeof two - 1, &rc) == 13 && rc == JSON_WHOLE);
    ck_assert(end_of_first(two + 13, 4, &rc) == 4 && rc == JSON_WHOLE);
    end_of_first(two, 12, &rc);
    ck_assert(rc == JSON_PART);
    end_of_first("  \n", 3, &rc);
    ck_assert(rc == JSON_PART);
    ck_assert(end_of_first("none", 4, &rc) == 1 && rc == JSON_WHOLE);
}
END_TEST

START_TEST(json_depth_and_size_are_limited)
{
    struct json json = {.values_max = 100};
    char deep[200], wide[400];
    int rc;

    memset(deep, '[', sizeof deep);
    ck_assert(json_read(&json, deep, sizeof deep) == NULL);
    ck_assert(strcmp(json.error, "values are nested too deeply at byte 64") ==
              0);
    ck_assert(end_of_first(deep, sizeof deep, &rc) == 64 && rc == JSON_REFUSED);
    for (size_t i = 0; i < sizeof wide; i += 2)
        memcpy(wide + i, i == 0 ? "[0" : ",0", 2);
    ck_assert(json_read(&json, wide, sizeof wide) == NULL);
    ck_assert(strstr(json.error, "too many values") != NULL);
    memset(wide, ',', sizeof wide);
    wide[0] = wide[sizeof wide - 1] = '"';
    json_t *text = json_read(&json, wide, sizeof wide);
    ck_assert(json_string_length(text) == sizeof wide - 2);
    json_decref(text);
}
END_TEST

/* Whatever comes in, the reader stays within it and says yes or no. */
START_TEST(json_survives_noise)
{
    static const char alphabet[] = "{}[]\",:\\u0129eE+-.truefalsn \n\x80\x01";
    struct json json = {0};
    struct arena arena = {0};
    uint64_t random = 88172645463325252u;

    for (int round = 0; round < 200000; round++) {
        char text[48];
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t len = random % sizeof text;
        char *exact = malloc(len + 1);
        uint64_t bits = random;
        for (size_t i = 0; i < len; i++) {
            bits = bits * 6364136223846793005u + 1442695040888963407u;
            exact[i] = alphabet[(bits >> 33) % (sizeof alphabet - 1)];
        }
        struct json_scan scan = {0};
        json_scan(&json, &scan, exact, len);
        ck_assert(scan.at <= len);
        void *record =
            message_from_json(&arena, &txn_request_message, &json, exact, len);
        ck_assert(record || json.error[0] != '\0');
        arena_reset(&arena);
        free(exact);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(json_is_written_as_text)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"a\"\\\n\x01", "\"a\\\"\\\\\\n\\u0001\""},
        {"\u00e4\u20ac\U0001f600", "\"\u00e4\u20ac\U0001f600\""},
        {"cut\xe2\x82", "\"cut\\ufffd\\ufffd\""},
        {"\xff-\xc0\x80-\xed\xa0\x80",
         "\"\\ufffd-\\ufffd\\ufffd-\\ufffd\\ufffd\\ufffd\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        json_quote(&out, cases[i].text, strlen(cases[i].text));
        buffer_byte(&out, '\0');
        ck_assert_str_eq(out.at, cases[i].json);
        buffer_free(&out);
    }
}
END_TEST

/* ---- messages ---- */

static bool survives(const struct message *message, const char *in,
                     const char *expected)
{
    struct json json = {0};
    struct arena arena = {0};
    struct buffer out = {0};
    bool same = false;
    void *record = message_from_json(&arena, message, &json, in, strlen(in));

    if (record) {
        message_to_json(&out, message, record);
        same = out.len == strlen(expected) &&
               memcmp(out.at, expected, out.len) == 0;
    }
    if (!same)
        printf("# %.*s %s\n", (int)out.len, out.at ? out.at : "", json.error);
    buffer_free(&out);
    arena_free(&arena);
    return same;
}

START_TEST(messages_survive_both_directions)
{
    const char *range =
        "{\"key\":\"Zm9v\",\"range_end\":\"AA==\",\"limit\":\"5\",\"revision\""
        ":\"-1\",\"sort_order\":\"DESCEND\",\"sort_target\":\"MOD\","
        "\"serializable\":true,\"max_mod_revision\":\"9\"}";

    ck_assert(survives(&range_request_message, range, range));
    ck_assert(survives(&range_request_message,
                       "{\"rangeEnd\":\"AA\",\"sortOrder\":2,\"keysOnly\":true,"
                       "\"unknown\":{\"key\":[1]},\"limit\":7}",
                       "{\"range_end\":\"AA==\",\"limit\":\"7\",\"sort_order\":"
                       "\"DESCEND\",\"keys_only\":true}"));
    ck_assert(survives(&range_request_message, "null", "{}"));
    const char *txn =
        "{\"compare\":[{\"target\":\"VALUE\",\"key\":\"YQ==\",\"value\":"
        "\"Yg==\"}],\"success\":[{\"request_txn\":{\"failure\":[{\"request_"
        "delete_range\":{\"key\":\"YQ==\"}}]}}]}";
    ck_assert(survives(&txn_request_message, txn, txn));
    const char *watch = "{\"create_request\":{\"key\":\"YQ==\",\"filters\":["
                        "\"NOPUT\",\"NODELETE\"],\"watch_id\":\"3\"}}";
    ck_assert(survives(&watch_request_message, watch, watch));
    ck_assert(survives(&watch_request_message, "{\"progressRequest\":{}}",
                       "{\"progress_request\":{}}"));
    const char *list = "{\"members\":[{\"ID\":\"18446744073709551615\","
                       "\"name\":\"a\\\"b\",\"peerURLs\":[\"x\",\"y\"]}]}";
    ck_assert(survives(&member_list_response_message, list, list));
}
END_TEST

START_TEST(messages_of_the_wrong_shape_are_refused)
{
    static const char *const bad[] = {"[]",
                                      "7",
                                      "{\"key\":1}",
                                      "{\"limit\":true}",
                                      "{\"serializable\":1}",
                                      "{\"sort_order\":\"UP\"}",
                                      "{\"key\":\"!\"}",
                                      "{\"limit\":\"9223372036854775808\"}",
                                      "{\"limit\":1.0}",
                                      "{\"limit\":\"1.0\"}",
                                      "{\"limit\":1e3}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json json = {0};
        struct arena arena = {0};
        ck_assert(!message_from_json(&arena, &range_request_message, &json,
                                     bad[i], strlen(bad[i])));
        ck_assert(json.error[0] != '\0');
        arena_free(&arena);
    }
}
END_TEST

START_TEST(numbers_of_a_message_are_exact_or_refused)
{
    const char *most = "{\"raftIndex\":\"18446744073709551615\"}";

    ck_assert(survives(&status_response_message, most, most));
    ck_assert(survives(&range_request_message,
                       "{\"limit\":9007199254740993,\"revision\":\"-9\"}",
                       "{\"limit\":\"9007199254740993\",\"revision\":\"-9\"}"));
}
END_TEST

/* ---- URLs and clusters ---- */

START_TEST(urls_are_understood_or_refused)
{
    static const char *const good[] = {
        "http://127.0.0.1:2379", "http://localhost:1", "http://[::1]:65535",
        "http://a.b-c.example:80/"};
    static const char *const bad[] = {"",
                                      "http://",
                                      "http://x",
                                      "http://:1",
                                      "http://x:",
                                      "http://x:0",
                                      "http://x:65536",
                                      "http://x:1x",
                                      "http://::1:1",
                                      "https://x:1",
                                      "unix://x",
                                      "ftp://x:1",
                                      "http://x:1/path",
                                      "http://a b:1",
                                      "http://[]:1"};
    struct url url;
    char error[256], text[URL_HOST_MAX + 32];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert(url_parse(good[i], strlen(good[i]), 0, &url, error) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert(url_parse(bad[i], strlen(bad[i]), 0, &url, error) != 0);
    ck_assert(url_parse("http://x:0", 10, 1, &url, error) == 0);
    ck_assert(url_parse("http://[::1]:7", 14, 0, &url, error) == 0);
    url_format(&url, text, sizeof text);
    ck_assert(strcmp(text, "http://[::1]:7") == 0);
}
END_TEST

START_TEST(every_address_of_a_host_has_its_turn)
{
    struct addrinfo c = {.ai_family = AF_INET};
    struct addrinfo b = {.ai_family = AF_INET, .ai_next = &c};
    struct addrinfo a = {.ai_family = AF_INET6, .ai_next = &b};
    const struct addrinfo *const turns[] = {&b, &c, &a, &b};

    for (size_t turn = 0; turn < 4; turn++)
        ck_assert(url_address(&a, turn) == turns[turn]);
    ck_assert(url_address(&c, 7) == &c);
    b.ai_family = c.ai_family = AF_INET6;
    ck_assert(url_address(&a, 0) == &a && url_address(&a, 5) == &c);
}
END_TEST

static int make(struct cluster *out, const char *name, const char *list,
                const char *token)
{
    struct settings flags = {
        .name = name, .initial_cluster = list, .cluster_token = token};
    char error[256] = "";
    int rc = cluster_parse(&flags, out, error);

    ck_assert(rc == 0 || error[0] != '\0');
    return rc;
}

START_TEST(a_cluster_is_the_same_for_all_its_members)
{
    struct cluster *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    const char *list = "x=http://h:1,y=http://h:2,y=http://h:3,z=http://h:4";
    const char *mixed = "z=http://h:4,y=http://h:3,x=http://h:1,y=http://h:2";

    ck_assert(make(a, "x", list, "t") == 0 && make(b, "y", mixed, "t") == 0);
    ck_assert(a->id == b->id && a->id != 0 && a->count == 3);
    ck_assert(a->self != b->self);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(a->ids[i] == b->ids[i] && a->ids[i] != 0);
        ck_assert(strcmp(a->addresses[i].name, b->addresses[i].name) == 0);
    }
    ck_assert(make(b, "x", list, "u") == 0 && a->id != b->id);
    ck_assert(make(b, "x", "x=http://h:1,y=http://h:2,z=http://h:4", "t") == 0);
    ck_assert(a->id != b->id);
    ck_assert(make(b, "w", list, "t") != 0);
    ck_assert(make(b, "x", "x", "t") != 0);
    ck_assert(make(b, "x", "x=", "t") != 0);
    ck_assert(make(b, "x", "x=http://h:1,", "t") != 0);
    free(a);
    free(b);
}
END_TEST

START_TEST(an_address_survives_both_directions)
{
    struct address in = {.name = "n1"}, out;
    char bytes[RKV_ADDRESS_MAX], error[256];

    ck_assert(url_list_parse("http://a:1,http://b:2", 21, 0, &in.peer_urls,
                             error) == 0);
    size_t len = address_encode(&in, bytes);
    ck_assert(address_decode(bytes, len, &out) == 0);
    ck_assert(strcmp(out.name, "n1") == 0);
    ck_assert(out.peer_urls.count == 2 && out.client_urls.count == 0);
    ck_assert(out.peer_urls.urls[1].port == 2);
    for (size_t cut = 0; cut < len; cut++)
        (void)address_decode(bytes, cut, &out);
    ck_assert(address_decode(bytes, 2, &out) != 0);
    for (size_t i = 0; i < URL_LIST_MAX; i++) {
        struct url *url = &in.client_urls.urls[in.client_urls.count++];
        memset(url->host, 'h', URL_HOST_MAX);
        url->port = 65535;
    }
    len = address_encode(&in, bytes);
    ck_assert(len <= RKV_ADDRESS_MAX);
    ck_assert(address_decode(bytes, len, &out) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server units");
    TCase *tcase = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, tcase_lives());
    suite_add_tcase(suite, tcase_statuses());
    tcase_add_test(tcase, base64_is_read_in_both_alphabets);
    tcase_add_test(tcase, base64_gives_every_byte_back);
    tcase_add_test(tcase, json_is_read_strictly);
    tcase_add_test(tcase, json_errors_have_the_words_of_the_gateway);
    tcase_add_test(tcase, json_numbers_are_exact);
    tcase_add_test(tcase, json_numbers_without_a_sign_reach_64_bits);
    tcase_add_test(tcase, json_values_of_a_stream_are_found);
    tcase_add_test(tcase, json_depth_and_size_are_limited);
    tcase_add_test(tcase, json_survives_noise);
    tcase_add_test(tcase, json_is_written_as_text);
    tcase_add_test(tcase, messages_survive_both_directions);
    tcase_add_test(tcase, messages_of_the_wrong_shape_are_refused);
    tcase_add_test(tcase, numbers_of_a_message_are_exact_or_refused);
    tcase_add_test(tcase, urls_are_understood_or_refused);
    tcase_add_test(tcase, every_address_of_a_host_has_its_turn);
    tcase_add_test(tcase, a_cluster_is_the_same_for_all_its_members);
    tcase_add_test(tcase, an_address_survives_both_directions);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
