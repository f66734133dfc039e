/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forecast: a save played through before it happens: the policy itself is
 * asked, of pages that a curve says would be dirty.
 *
 * The curve: how many different pages are written within a time t. Between
 * the probe's samples it is drawn straight; behind the last one, at T, it goes
 * on as its second half bids: what was new in it, N, against what was new in
 * the first half, F. A guest that writes here and there within a set of pages
 * has N < F, as it hits the same ones again, and fills the set like
 *
 *   D(t) = W (1 - q^(2t/T)),  q = N / F,  W = F / (1 - q)
 *
 * one that goes on to ever new pages has N = F, a straight line. Neither gets
 * past the pages that the guest has. A guest capped at c percent is taken to
 * live through c percent of the time.
 *
 * A page that is written again before its turn in a round waits for the next:
 * of those, half are taken to be spared in live rounds after the first.
 *
 * Limits: the guest is taken to go on as it did in that second, and the link
 * to give what it gave; hot pages within a set (zipf) fill it faster at first
 * and slower then than the curve has it.
 */
#include "xcext.h"

#include "base/clock.h"
#include "policy/policy.h"

/* A page on the wire: its contents and its eight bytes of pfn. */
#define PAGE_WIRE_BYTES 4104

/* No save has more rounds, however it is set. */
#define MAX_ROUNDS 1000

/* How often the policy looks within a round, at most; as the engine peeks. */
#define PEEK_NS (50 * XCX_NS_PER_MS)

struct play {
    const struct xcx_forecast_params *params;
    struct xcx_policy policy;
    struct xcx_policy_costs costs;
    double page_ns;       /* to send one */
    unsigned cap_percent; /* of the guest's time */
    uint64_t elapsed_ns;
    uint64_t round_ns; /* the last round's */
    uint64_t nr_sent;  /* pages, all in all */
    unsigned nr_rounds;
};

/* ---- the curve ---------------------------------------------------------- */

static double at_sample(const struct xcx_probe *probe, double t_ns)
{
    double before_ns = 0, before_pfns = 0;

    for (unsigned i = 0; i < probe->nr_samples; i++) {
        double at_ns = (double)probe->samples[i].at_ns;
        double nr_pfns = (double)probe->samples[i].nr_pfns_dirty;

        if (t_ns <= at_ns && at_ns > before_ns)
            return before_pfns + (nr_pfns - before_pfns) * (t_ns - before_ns) /
                                     (at_ns - before_ns);
        before_ns = at_ns;
        before_pfns = nr_pfns;
    }
    return before_pfns;
}

/* q to the power of x, x not negative: drawn straight between whole ones. */
static double power(double q, double x)
{
    double result = 1, square = q;
    uint64_t whole;

    if (x > 1e6)
        return 0;
    whole = (uint64_t)x;
    for (uint64_t n = whole; n; n >>= 1) {
        if (n & 1)
            result *= square;
        square *= square;
    }
    return result * (1 - (x - (double)whole) * (1 - q));
}

static double beyond_samples(const struct xcx_probe *probe, double t_ns)
{
    double end_ns = (double)probe->samples[probe->nr_samples - 1].at_ns;
    double end_pfns =
        (double)probe->samples[probe->nr_samples - 1].nr_pfns_dirty;
    double first = at_sample(probe, end_ns / 2);
    double second = end_pfns - first;
    double q;

    if (second <= 0 || first <= 0)
        return end_pfns +
               (second > 0 ? second * (t_ns - end_ns) * 2 / end_ns : 0);
    q = second / first;
    if (q > 0.98)
        return end_pfns + second * (t_ns - end_ns) * 2 / end_ns;
    return first / (1 - q) * (1 - power(q, 2 * t_ns / end_ns));
}

/* Different pages written within t. */
static uint64_t dirtied(const struct play *play, double t_ns)
{
    const struct xcx_probe *probe = &play->params->probe;
    double end_ns = (double)probe->samples[probe->nr_samples - 1].at_ns;
    double lived_ns = t_ns * play->cap_percent / 100;
    double nr_pfns = lived_ns <= end_ns ? at_sample(probe, lived_ns)
                                        : beyond_samples(probe, lived_ns);

    if (nr_pfns > (double)probe->nr_pages)
        return probe->nr_pages;
    return nr_pfns > 0 ? (uint64_t)nr_pfns : 0;
}

/* ---- the rounds --------------------------------------------------------- */

static void look(struct play *play, bool round_end, uint64_t round_ns,
                 uint64_t nr_sent, uint64_t nr_left,
                 struct xcx_policy_decision *decision)
{
    struct xcx_policy_sample sample = {
        .round_end = round_end,
        .nr_rounds = play->nr_rounds + round_end,
        .elapsed_ns = play->elapsed_ns + round_ns,
        .round_ns = round_ns,
        .nr_pfns_dirty = dirtied(play, (double)round_ns),
        .nr_pfns_left = nr_left,
        .nr_pfns_sent = nr_sent,
        .send_ns = round_ns,
        .costs = play->costs,
    };

    xcx_policy_step(&play->policy, &sample, decision);
}

/* The pages of todo that are not dirty again before their turn comes. */
static uint64_t to_send(const struct play *play, uint64_t nr_todo)
{
    uint64_t nr_again = dirtied(play, (double)nr_todo * play->page_ns);

    if (play->nr_rounds == 0)
        return nr_todo;
    return nr_todo - (nr_again < nr_todo ? nr_again : nr_todo) / 2;
}

/* One round; *ret_todo is what the next, or the final one, sets out with. */
static void round_of(struct play *play, uint64_t nr_todo, uint64_t *ret_todo,
                     struct xcx_policy_decision *decision)
{
    uint64_t nr_sent = to_send(play, nr_todo);
    uint64_t round_ns = (uint64_t)((double)nr_sent * play->page_ns);
    uint64_t peek_ns =
        round_ns > 2 * PEEK_NS ? round_ns - PEEK_NS : round_ns / 2;

    decision->action = XCX_POLICY_CONTINUE;
    if (round_ns > 1)
        look(play, false, peek_ns, (uint64_t)((double)peek_ns / play->page_ns),
             nr_sent - (uint64_t)((double)peek_ns / play->page_ns), decision);
    if (decision->action == XCX_POLICY_CONTINUE)
        look(play, true, round_ns, nr_sent, 0, decision);
    *ret_todo = dirtied(play, (double)round_ns);
    play->nr_sent += nr_sent;
    play->elapsed_ns += round_ns;
    play->round_ns = round_ns;
    play->nr_rounds++;
}

static void play_live(struct play *play, struct xcx_forecast *forecast)
{
    uint64_t nr_todo = play->params->probe.nr_pages;
    struct xcx_policy_decision decision;

    do {
        round_of(play, nr_todo, &nr_todo, &decision);
        if (decision.action == XCX_POLICY_THROTTLE) {
            play->cap_percent = decision.cap_percent;
            forecast->throttle_percent_min = decision.cap_percent;
        }
    } while (play->nr_rounds < MAX_ROUNDS &&
             (decision.action == XCX_POLICY_CONTINUE ||
              decision.action == XCX_POLICY_THROTTLE));
    forecast->aborts = decision.action != XCX_POLICY_STOP_AND_COPY;
    forecast->stop_reason = decision.reason;
}

static void begin(struct play *play, const struct xcx_forecast_params *params)
{
    uint64_t bytes_per_s = params->bytes_per_s;
    uint64_t limit = params->limits.bandwidth_bytes_per_s;

    if (limit && limit < bytes_per_s)
        bytes_per_s = limit;
    *play = (struct play){.params = params, .cap_percent = 100};
    play->page_ns =
        PAGE_WIRE_BYTES * (double)XCX_NS_PER_S / (double)bytes_per_s;
    xcx_policy_init(&play->policy, &params->limits);
    xcx_policy_costs_default(&play->costs);
    play->costs.suspend_ns = xcx_policy_suspend_guess(params->probe.count_ns);
    if (params->probe.clean_ns)
        play->costs.final_scan_ns = params->probe.clean_ns;
}

/*
 * The blackout of a guest that was suspended after those rounds. What was
 * learnt counts here, and only here: a save decides by its own guess.
 */
static void play_blackout(struct play *play, struct xcx_forecast *forecast)
{
    const struct xcx_forecast_params *params = play->params;
    uint64_t nr_rest;

    if (params->suspend_ns)
        play->costs.suspend_ns = params->suspend_ns;
    if (params->cpu_state_ns)
        play->costs.cpu_state_ns = params->cpu_state_ns;
    /* This set goes on growing until the guest has stopped. */
    nr_rest = dirtied(play, (double)(play->round_ns + play->costs.suspend_ns)) +
              play->costs.suspend_nr_pfns;
    forecast->blackout_ns = play->costs.suspend_ns + play->costs.final_scan_ns +
                            play->costs.cpu_state_ns +
                            (uint64_t)((double)nr_rest * play->page_ns);
    forecast->bytes = (play->nr_sent + nr_rest) * PAGE_WIRE_BYTES;
}

int xcx_forecast(const struct xcx_forecast_params *params,
                 struct xcx_forecast *ret_forecast, struct xcx_err *err)
{
    struct xcx_forecast forecast = {.throttle_percent_min = 100};
    struct play play;

    if (params->bytes_per_s == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "a forecast for a link without a rate");
    if (params->probe.nr_samples == 0 ||
        params->probe.nr_samples > XCX_PROBE_MAX_SAMPLES ||
        params->probe.samples[params->probe.nr_samples - 1].at_ns == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "a forecast without a probe of the guest");
    begin(&play, params);
    play_live(&play, &forecast);
    play_blackout(&play, &forecast);
    forecast.nr_rounds = play.nr_rounds;
    forecast.live_ns = play.elapsed_ns;
    *ret_forecast = forecast;
    return 0;
}
