/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/order.h"

#define BIT(type) (UINT32_C(1) << (type))

#define PV        1
#define HVM       2
#define ANY       (PV | HVM)
#define VCPUS                                                                  \
    (BIT(XCX_REC_X86_PV_VCPU_BASIC) | BIT(XCX_REC_X86_PV_VCPU_EXTENDED) |      \
     BIT(XCX_REC_X86_PV_VCPU_XSAVE) | BIT(XCX_REC_X86_PV_VCPU_MSRS))
#define TAIL                                                                   \
    (VCPUS | BIT(XCX_REC_SHARED_INFO) | BIT(XCX_REC_X86_TSC_INFO) |            \
     BIT(XCX_REC_HVM_CONTEXT) | BIT(XCX_REC_HVM_PARAMS))
#define SDE     BIT(XCX_REC_STATIC_DATA_END)
#define PV_INFO BIT(XCX_REC_X86_PV_INFO)
#define P2M     BIT(XCX_REC_X86_PV_P2M_FRAMES)
#define PAGES   BIT(XCX_REC_PAGE_DATA)

/*
 * A row for each record type. need: seen before, since the start; need_pv: for
 * a PV guest as well. bar: not seen before, since the start; epoch_bar: not
 * since the last CHECKPOINT. strict_: for the writer in addition.
 */
static const struct rule {
    uint8_t guests; /* 0: no forward stream has it */
    bool version_3; /* not in version 2 */
    uint32_t need, need_pv, bar, epoch_bar;
    uint32_t strict_need, strict_epoch_bar;
} rules[XCX_NR_RECORD_TYPES] = {
    [XCX_REC_X86_PV_INFO] = {.guests = PV, .bar = PV_INFO | SDE},
    [XCX_REC_X86_CPUID_POLICY] = {.guests = ANY,
                                  .version_3 = true,
                                  .bar = BIT(XCX_REC_X86_CPUID_POLICY) | SDE},
    [XCX_REC_X86_MSR_POLICY] = {.guests = ANY,
                                .version_3 = true,
                                .bar = BIT(XCX_REC_X86_MSR_POLICY) | SDE},
    [XCX_REC_STATIC_DATA_END] = {.guests = ANY,
                                 .version_3 = true,
                                 .need_pv = PV_INFO,
                                 .bar = SDE},
    [XCX_REC_X86_PV_P2M_FRAMES] = {.guests = PV,
                                   .need = PV_INFO | SDE,
                                   .epoch_bar = VCPUS},
    [XCX_REC_PAGE_DATA] = {.guests = ANY,
                           .need = SDE,
                           .need_pv = P2M,
                           .epoch_bar = VCPUS,
                           .strict_epoch_bar = TAIL},
    [XCX_REC_VERIFY] = {.guests = ANY,
                        .need = PAGES,
                        .bar = BIT(XCX_REC_VERIFY),
                        .epoch_bar = VCPUS,
                        .strict_epoch_bar = TAIL},
    [XCX_REC_X86_TSC_INFO] = {.guests = ANY,
                              .need = SDE,
                              .strict_need = PAGES,
                              .strict_epoch_bar = BIT(XCX_REC_X86_TSC_INFO)},
    [XCX_REC_SHARED_INFO] = {.guests = PV,
                             .need = PV_INFO | SDE,
                             .strict_need = PAGES,
                             .strict_epoch_bar = BIT(XCX_REC_SHARED_INFO)},
    [XCX_REC_X86_PV_VCPU_BASIC] = {.guests = PV, .need = PAGES},
    [XCX_REC_X86_PV_VCPU_EXTENDED] = {.guests = PV, .need = PAGES},
    [XCX_REC_X86_PV_VCPU_XSAVE] = {.guests = PV, .need = PAGES},
    [XCX_REC_X86_PV_VCPU_MSRS] = {.guests = PV, .need = PAGES},
    [XCX_REC_HVM_PARAMS] = {.guests = HVM,
                            .need = SDE,
                            .strict_need = PAGES,
                            .strict_epoch_bar = BIT(XCX_REC_HVM_PARAMS) |
                                                BIT(XCX_REC_HVM_CONTEXT)},
    [XCX_REC_HVM_CONTEXT] = {.guests = HVM,
                             .need = SDE,
                             .strict_need = PAGES,
                             .strict_epoch_bar = BIT(XCX_REC_HVM_CONTEXT)},
    [XCX_REC_CHECKPOINT] = {.guests = ANY, .bar = BIT(XCX_REC_VERIFY)},
    [XCX_REC_END] = {.guests = ANY},
};

void xcx_order_init(struct xcx_order *order, enum xcx_guest_type guest_type,
                    uint32_t version, bool checkpointed, bool strict)
{
    *order = (struct xcx_order){.guest_type = guest_type,
                                .version = version,
                                .checkpointed = checkpointed,
                                .strict = strict};
}

bool xcx_order_infers_static_data_end(struct xcx_order *order, uint32_t type)
{
    uint32_t first = order->guest_type == XCX_GUEST_PV
                         ? XCX_REC_X86_PV_P2M_FRAMES
                         : XCX_REC_PAGE_DATA;

    if (order->version > 2 || order->seen & SDE || type != first)
        return false;
    /* PV_INFO is what STATIC_DATA_END itself would have to follow. */
    if (order->guest_type == XCX_GUEST_PV && !(order->seen & PV_INFO))
        return false;
    order->seen |= SDE;
    return true;
}

/* The name of the lowest type in a non-empty set. */
static const char *first_of(uint32_t types)
{
    return xcx_record_name((uint32_t)__builtin_ctz(types));
}

/* The CPU and platform state that is missing before an epoch may end. */
static uint32_t missing_state(const struct xcx_order *order)
{
    uint32_t need;

    if (order->guest_type == XCX_GUEST_PV)
        need = BIT(XCX_REC_X86_PV_VCPU_BASIC) |
               (order->strict ? BIT(XCX_REC_SHARED_INFO) : 0);
    else
        need = BIT(XCX_REC_HVM_CONTEXT) |
               (order->strict ? BIT(XCX_REC_HVM_PARAMS) : 0);
    if (order->strict)
        need |= BIT(XCX_REC_X86_TSC_INFO);
    return need & ~order->epoch;
}

static int check_rule(const struct xcx_order *order, const struct rule *rule,
                      enum xcx_err_kind kind, struct xcx_err *err)
{
    bool pv = order->guest_type == XCX_GUEST_PV;
    uint32_t need = rule->need | (pv ? rule->need_pv : 0) |
                    (order->strict ? rule->strict_need : 0);
    uint32_t epoch_bar =
        rule->epoch_bar | (order->strict ? rule->strict_epoch_bar : 0);
    uint32_t barred = (rule->bar & order->seen) | (epoch_bar & order->epoch);

    if (!rule->guests)
        return xcx_err_set(err, kind, 0, "has no place in a forward stream");
    if (!(rule->guests & (pv ? PV : HVM)))
        return xcx_err_set(err, kind, 0, "does not belong to %s guest",
                           pv ? "a PV" : "an HVM");
    if (rule->version_3 && order->version < 3)
        return xcx_err_set(err, kind, 0, "does not belong to version %u",
                           (unsigned)order->version);
    if (need & ~order->seen)
        return xcx_err_set(err, kind, 0, "comes before any %s",
                           first_of(need & ~order->seen));
    if (barred)
        return xcx_err_set(err, kind, 0, "may not come after %s",
                           first_of(barred));
    return 0;
}

static int check_mark(const struct xcx_order *order, uint32_t type,
                      enum xcx_err_kind kind, struct xcx_err *err)
{
    uint32_t missing = missing_state(order);

    if (type == XCX_REC_CHECKPOINT && !order->checkpointed)
        return xcx_err_set(err, kind, 0, "in a stream without checkpoints");
    /* A sender may end where its last checkpoint is what counts. */
    if (type == XCX_REC_END && order->seen & BIT(XCX_REC_CHECKPOINT))
        return 0;
    if (missing)
        return xcx_err_set(err, kind, 0, "comes before any %s",
                           first_of(missing));
    return 0;
}

int xcx_order_next(struct xcx_order *order, uint32_t type,
                   enum xcx_err_kind kind, struct xcx_err *err)
{
    if (order->ended)
        return xcx_err_set(err, kind, 0, "comes after END");
    if (type & XCX_REC_OPTIONAL)
        return 0;
    if (type >= XCX_NR_RECORD_TYPES)
        return xcx_err_set(err, kind, 0, "is of no known type");
    if (check_rule(order, &rules[type], kind, err))
        return -1;
    if ((type == XCX_REC_END || type == XCX_REC_CHECKPOINT) &&
        check_mark(order, type, kind, err))
        return -1;

    order->seen |= BIT(type);
    order->epoch |= BIT(type);
    if (type == XCX_REC_CHECKPOINT)
        order->epoch = 0;
    order->ended = type == XCX_REC_END;
    return 0;
}
