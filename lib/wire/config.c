/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/config.c - who the members are: changes, as the log holds them, and
 * a whole configuration, as stores and snapshots do.  Both outlive the version
 * that wrote them and begin with a format number.
 *
 *     changes:    u8 1 | step                        one, as the core sees fit
 *                 u8 2 | u8 transition | varint count | step, count times
 *     step:       u8 op | varint id | varint length | address
 *     members:    u8 1 | varint count | member, count times
 *     member:     varint step | u8 role | varint length | address
 *
 * The step of a member leads from the id before, the first one from 0, and is
 * not 0: ids rise, and none is there twice.
 */
#include "code.h"

enum {
    FORMAT = 1,
    FORMAT_SEVERAL = 2,
    STEP_BYTES_MIN = 3,
    MEMBER_BYTES_MIN = 3,
    ALONE = RKV_VOTER | RKV_LEARNER,
    ROLES = RKV_VOTER | RKV_LEARNER | RKV_OUTGOING | RKV_LEARNER_NEXT |
            RKV_AUTO_LEAVE | RKV_LEASES
};

static bool is_single(uint32_t count, uint32_t transition);
static bool is_for_all(uint32_t op);
static bool has_address(uint32_t op);
static size_t step_address_len(const struct rkv_change *step);
static size_t step_size(const struct rkv_change *step);
static uint8_t *step_put(uint8_t *p, const struct rkv_change *step);
static int step_read(struct rkv_reader *in, struct rkv_change *out);
static size_t members_size(const struct rkv_member *members, uint32_t count);
static int member_read(struct rkv_reader *in, uint64_t id_before,
                       struct rkv_member *out);

void rkv_changes_encode(struct rkv_buffer *out, const struct rkv_changes *all)
{
    size_t len = is_single(all->count, all->transition)
                     ? 1
                     : 2 + rkv_varint_size(all->count);

    assert(all->count <= RKV_CHANGES_MAX);
    assert(all->transition <= RKV_CHANGE_EXPLICIT);
    for (uint32_t i = 0; i < all->count; i++)
        len += step_size(&all->list[i]);
    if (out->failed || !rkv_buffer_reserve(out, len))
        return;
    uint8_t *p = out->data + out->len;
    out->len += len;
    if (is_single(all->count, all->transition)) {
        *p++ = FORMAT;
    } else {
        *p++ = FORMAT_SEVERAL;
        *p++ = (uint8_t)all->transition;
        p = rkv_put_varint(p, all->count);
    }
    for (uint32_t i = 0; i < all->count; i++)
        p = step_put(p, &all->list[i]);
    assert(p == out->data + out->len);
}

int rkv_changes_decode(const void *data, size_t len, struct rkv_changes *out)
{
    struct rkv_reader in;
    uint64_t count = 1;

    rkv_reader_init(&in, data, len);
    uint8_t format = rkv_read_u8(&in);
    if (!in.failed && format != FORMAT && format != FORMAT_SEVERAL)
        return RKV_EVERSION;
    out->transition = RKV_CHANGE_AUTO;
    if (format == FORMAT_SEVERAL) {
        out->transition = rkv_read_u8(&in);
        count = rkv_take_varint(&in);
        if (!in.failed && out->transition > RKV_CHANGE_EXPLICIT)
            return RKV_EVERSION;
        if (count > RKV_CHANGES_MAX ||
            count > rkv_reader_left(&in) / STEP_BYTES_MIN ||
            is_single((uint32_t)count, out->transition))
            return RKV_EMALFORMED;
    }
    out->count = (uint32_t)count;
    for (uint32_t i = 0; i < out->count; i++) {
        int rc = step_read(&in, &out->list[i]);
        if (rc < 0)
            return rc;
    }
    return rkv_reader_done(&in) ? RKV_OK : RKV_EMALFORMED;
}

void rkv_members_encode(struct rkv_buffer *out,
                        const struct rkv_member *members, uint32_t count)
{
    uint64_t id = 0;

    assert(count <= RKV_MEMBERS_MAX);
    size_t len = members_size(members, count);
    if (out->failed || !rkv_buffer_reserve(out, len))
        return;
    uint8_t *p = out->data + out->len;
    out->len += len;
    *p++ = FORMAT;
    p = rkv_put_varint(p, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct rkv_member *member = &members[i];
        assert(member->id > id);
        assert(member->role != 0);
        assert((member->role & ~(uint32_t)ROLES) == 0);
        assert(member->address_len <= RKV_ADDRESS_MAX);
        p = rkv_put_varint(p, member->id - id);
        *p++ = (uint8_t)member->role;
        p = rkv_put_varint(p, member->address_len);
        p = rkv_put_bytes(p, member->address, member->address_len);
        id = member->id;
    }
    assert(p == out->data + out->len);
}

int rkv_members_decode(struct rkv_reader *in, struct rkv_member *members,
                       uint32_t cap, uint32_t *count)
{
    uint64_t id = 0;

    uint8_t format = rkv_read_u8(in);
    if (!in->failed && format != FORMAT)
        return RKV_EVERSION;
    uint64_t told = rkv_take_varint(in);
    if (in->failed || told > RKV_MEMBERS_MAX)
        return RKV_EMALFORMED;
    if (told > cap)
        return RKV_ETOOBIG;
    if (told > rkv_reader_left(in) / MEMBER_BYTES_MIN)
        return RKV_EMALFORMED;
    for (uint32_t i = 0; i < told; i++) {
        int rc = member_read(in, id, &members[i]);
        if (rc < 0)
            return rc;
        id = members[i].id;
    }
    *count = (uint32_t)told;
    return RKV_OK;
}

static bool is_single(uint32_t count, uint32_t transition)
{
    return count == 1 && transition == RKV_CHANGE_AUTO;
}

/* What is agreed on by all names nobody. */
static bool is_for_all(uint32_t op)
{
    return op >= RKV_CHANGE_LEASES_ON;
}

static bool has_address(uint32_t op)
{
    return op != RKV_CHANGE_REMOVE && !is_for_all(op);
}

/* An address that means nothing is not written. */
static size_t step_address_len(const struct rkv_change *step)
{
    return has_address(step->op) ? step->address_len : 0;
}

static size_t step_size(const struct rkv_change *step)
{
    size_t address_len = step_address_len(step);
    return 1 + rkv_varint_size(step->id) + rkv_varint_size(address_len) +
           address_len;
}

static uint8_t *step_put(uint8_t *p, const struct rkv_change *step)
{
    size_t address_len = step_address_len(step);

    assert(step->op >= RKV_CHANGE_ADD_LEARNER);
    assert(step->op <= RKV_CHANGE_LEASES_OFF);
    assert((step->id == 0) == is_for_all(step->op));
    assert(address_len <= RKV_ADDRESS_MAX);
    *p++ = (uint8_t)step->op;
    p = rkv_put_varint(p, step->id);
    p = rkv_put_varint(p, address_len);
    return rkv_put_bytes(p, step->address, address_len);
}

static int step_read(struct rkv_reader *in, struct rkv_change *out)
{
    struct rkv_change step = {.size = sizeof step};

    step.op = rkv_read_u8(in);
    step.id = rkv_take_varint(in);
    step.address = rkv_read_blob(in, &step.address_len);
    if (in->failed)
        return RKV_EMALFORMED;
    if (step.op < RKV_CHANGE_ADD_LEARNER || step.op > RKV_CHANGE_LEASES_OFF)
        return RKV_EVERSION;
    if ((step.id == 0) != is_for_all(step.op) ||
        step.address_len > RKV_ADDRESS_MAX)
        return RKV_EMALFORMED;
    if (!has_address(step.op) && step.address_len > 0)
        return RKV_EMALFORMED;
    *out = step;
    return RKV_OK;
}

static size_t members_size(const struct rkv_member *members, uint32_t count)
{
    size_t size = 1 + rkv_varint_size(count);
    uint64_t id = 0;

    for (uint32_t i = 0; i < count; i++) {
        size += rkv_varint_size(members[i].id - id) + 1 +
                rkv_varint_size(members[i].address_len) +
                members[i].address_len;
        id = members[i].id;
    }
    return size;
}

static int member_read(struct rkv_reader *in, uint64_t id_before,
                       struct rkv_member *out)
{
    struct rkv_member m = {0};
    size_t address_len = 0;

    uint64_t step = rkv_take_varint(in);
    m.role = rkv_read_u8(in);
    m.address = rkv_read_blob(in, &address_len);
    if (in->failed || step == 0 || step > UINT64_MAX - id_before)
        return RKV_EMALFORMED;
    /* What else goes together the core knows. */
    if (m.role == 0 || (m.role & ~(uint32_t)ROLES) != 0 ||
        (m.role & ALONE) == ALONE)
        return RKV_EVERSION;
    if (address_len > RKV_ADDRESS_MAX)
        return RKV_EMALFORMED;
    m.id = id_before + step;
    m.address_len = (uint32_t)address_len;
    *out = m;
    return RKV_OK;
}
