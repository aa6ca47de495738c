/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How requests end: each code of the library has one of gRPC's, one of HTTP's
 * and words, and whoever adds one to the library has to say which.
 */
#include "daemon/status.h"

#include <check.h>
#include <raftkv/node.h>
#include <stdbool.h>
#include <string.h>

TCase *tcase_statuses(void);

/* words NULL: the library's own. */
static const struct {
    const char *error;
    const char *code;
    unsigned http;
    const char *words;
} expected[] = {
    {"RKV_EINVAL", "InvalidArgument", 400, NULL},
    {"RKV_ESTATE", "FailedPrecondition", 412, NULL},
    {"RKV_ETOOBIG", "InvalidArgument", 400, "etcdserver: request is too large"},
    {"RKV_ENOTFOUND", "InvalidArgument", 400, "etcdserver: key not found"},
    {"RKV_ECOMPACTED", "OutOfRange", 400,
     "etcdserver: mvcc: required revision has been compacted"},
    {"RKV_EFUTURE", "OutOfRange", 400,
     "etcdserver: mvcc: required revision is a future revision"},
    {"RKV_EVERSION", "Unimplemented", 501, NULL},
    {"RKV_EMALFORMED", "InvalidArgument", 400, NULL},
    {"RKV_EAUTH", "Internal", 500, NULL},
    {"RKV_ECLUSTER", "Internal", 500, NULL},
    {"RKV_EEXIST", "FailedPrecondition", 412, NULL},
    {"RKV_EKEY", "InvalidArgument", 400, "etcdserver: key is not provided"},
    {"RKV_EDUPLICATE", "InvalidArgument", 400,
     "etcdserver: duplicate key given in txn request"},
    {"RKV_ETOOMANY", "InvalidArgument", 400,
     "etcdserver: too many operations in txn request"},
    {"RKV_EUNSAFE", "FailedPrecondition", 412,
     "etcdserver: re-configuration failed due to not enough started members"},
    {"RKV_ELEASE", "NotFound", 404, "etcdserver: requested lease not found"},
    {"RKV_EQUOTA", "ResourceExhausted", 429,
     "etcdserver: mvcc: database space exceeded"},
    {"RKV_ESESSION", "NotFound", 404, NULL},
    {"RKV_EDENIED", "PermissionDenied", 403, "etcdserver: permission denied"},
    {"RKV_EBUSY", "ResourceExhausted", 429, "etcdserver: too many requests"},
    {"RKV_ENOTLEADER", "Unavailable", 503, "etcdserver: leader changed"},
    {"RKV_ENOLEADER", "Unavailable", 503, "etcdserver: no leader"},
    {"RKV_ELOST", "Unavailable", 503, "etcdserver: leader changed"},
    {"RKV_ETIMEOUT", "Unavailable", 503, "etcdserver: request timed out"},
    {"RKV_EPENDING", "Unavailable", 503, NULL},
    {"RKV_ETRANSFER", "Unavailable", 503, "etcdserver: leader changed"},
    {"RKV_ECLOSED", "Unavailable", 503, "etcdserver: server stopped"},
    {"RKV_ESTALE", "Unavailable", 503, NULL},
    {"RKV_ESKIPPED", "Unavailable", 503, "etcdserver: request timed out"},
    {"RKV_ERECOVERING", "Unavailable", 503, "etcdserver: unhealthy cluster"},
    {"RKV_EJOINT", "FailedPrecondition", 412, NULL},
    {"RKV_ENOTYET", "Unavailable", 503, "etcdserver: leader changed"},
    {"RKV_EBEHIND", "FailedPrecondition", 412,
     "etcdserver: can only promote a learner member which is in sync with "
     "leader"},
    {"RKV_ENOUSER", "FailedPrecondition", 412,
     "etcdserver: user name not found"},
    {"RKV_ENOROLE", "FailedPrecondition", 412,
     "etcdserver: role name not found"},
    {"RKV_EROOT", "FailedPrecondition", 412,
     "etcdserver: root user does not have root role"},
    {"RKV_EOLDAUTH", "InvalidArgument", 400,
     "etcdserver: revision of auth store is old"},
    {"RKV_ENOMEM", "ResourceExhausted", 429, NULL},
    {"RKV_EIO", "Unavailable", 503, "etcdserver: server stopped"},
    {"RKV_ECORRUPT", "DataLoss", 500, "etcdserver: corrupt cluster"},
    {"RKV_EFAILED", "Unavailable", 503, "etcdserver: server stopped"},
    {"RKV_EDIVERGED", "DataLoss", 500, "etcdserver: corrupt cluster"},
    {"RKV_EROLLBACK", "Unavailable", 503, "etcdserver: server stopped"},
    {"RKV_ELOCKED", "Unavailable", 503, "etcdserver: server stopped"},
    {"RKV_ENOSPC", "Unavailable", 503, "etcdserver: server stopped"},
};
enum { EXPECTED = sizeof expected / sizeof *expected, CODES_MAX = 200 };

static bool is_code(int32_t code)
{
    return strcmp(rkv_errname(code), rkv_errname(INT32_MIN)) != 0;
}

static size_t place_of(const char *error)
{
    size_t at = 0;

    while (at < EXPECTED && strcmp(expected[at].error, error) != 0)
        at++;
    return at;
}

START_TEST(each_code_of_the_library_has_codes_and_words)
{
    size_t codes = 0;

    for (int32_t code = -1; code > -CODES_MAX; code--) {
        if (!is_code(code))
            continue;
        const char *error = rkv_errname(code);
        struct status found = status_of(code);
        size_t at = place_of(error);

        ck_assert_msg(at < EXPECTED, "what is a client told of %s?", error);
        const char *words = expected[at].words;
        if (!words)
            words = rkv_strerror(code);
        ck_assert_msg(strcmp(status_name(found.code), expected[at].code) == 0,
                      "%s: expected %s, found %s", error, expected[at].code,
                      status_name(found.code));
        ck_assert_msg(status_http(found.code) == expected[at].http,
                      "%s: expected %u, found %u", error, expected[at].http,
                      status_http(found.code));
        ck_assert_msg(strcmp(found.text, words) == 0,
                      "%s: expected \"%s\", found \"%s\"", error, words,
                      found.text);
        codes++;
    }
    ck_assert_uint_eq(codes, EXPECTED);
}
END_TEST

START_TEST(a_code_nobody_knows_is_an_internal_error)
{
    for (int32_t code = -CODES_MAX; code <= CODES_MAX; code++) {
        struct status found = status_of(code);

        if (is_code(code))
            continue;
        ck_assert_str_eq(status_name(found.code), "Internal");
        ck_assert_uint_eq(status_http(found.code), 500);
        ck_assert_str_eq(found.text, rkv_strerror(code));
    }
}
END_TEST

/* Whoever reads any other text may try again without fear. */
START_TEST(only_a_write_of_unknown_outcome_has_timed_out)
{
    const char *unknown = "etcdserver: request timed out";

    for (int32_t code = -1; code > -CODES_MAX; code--) {
        struct status found = status_of_write(RKV_UNKNOWN, code);

        ck_assert_str_eq(status_name(found.code), "Unavailable");
        ck_assert_str_eq(found.text, unknown);
        ck_assert_str_ne(status_of_write(RKV_NOT_DONE, code).text, unknown);
    }
}
END_TEST

TCase *tcase_statuses(void)
{
    TCase *tcase = tcase_create("statuses");

    tcase_add_test(tcase, each_code_of_the_library_has_codes_and_words);
    tcase_add_test(tcase, a_code_nobody_knows_is_an_internal_error);
    tcase_add_test(tcase, only_a_write_of_unknown_outcome_has_timed_out);
    return tcase;
}
