/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workload.h"

#include "clock.h"
#include "thread.h"

/* Pages in one go: little enough that a request is answered soon. */
#define BATCH_PAGES 32

/* Naps in which nothing is due; each waking costs an emulated CPU dearly. */
#define NAP_MIN_NS (2 * NS_PER_MS)
#define NAP_MAX_NS (20 * NS_PER_MS)

static void set_rate(struct workload *workload, uint64_t bytes_per_s)
{
    pace_init(&workload->dirty, (double)bytes_per_s / PAGE_BYTES,
              clock_mono_ns());
    pthread_mutex_lock(&workload->lock);
    workload->status.rate_bytes_per_s = bytes_per_s;
    pthread_mutex_unlock(&workload->lock);
}

/* After every change of the resident pages. */
static void residents_changed(struct workload *workload)
{
    pick_init(&workload->pick, workload->spec.pattern, workload->spec.seed,
              workload->set->nr_resident);
    workload->sweep_next = 0;
    pthread_mutex_lock(&workload->lock);
    workload->status.resident_pages = workload->set->nr_resident;
    workload->status.balloon_works = workload->balloon.works;
    pthread_mutex_unlock(&workload->lock);
}

static uint32_t dirty_some(struct workload *workload, int64_t now_ns)
{
    uint32_t nr_pages;

    if (workload->spec.pattern == SPEC_IDLE)
        return 0;
    nr_pages = pace_take(&workload->dirty, now_ns, BATCH_PAGES);
    for (uint32_t i = 0; i < nr_pages; i++)
        workset_write(workload->set, pick_next(&workload->pick));
    return nr_pages;
}

static uint32_t sweep_some(struct workload *workload, int64_t now_ns)
{
    uint32_t nr_pages = pace_take(&workload->sweep, now_ns, BATCH_PAGES);

    for (uint32_t i = 0; i < nr_pages; i++) {
        workset_verify(workload->set, workload->sweep_next++);
        if (workload->sweep_next < workload->set->nr_resident)
            continue;
        workload->sweep_next = 0;
        pthread_mutex_lock(&workload->lock);
        workload->status.sweeps++;
        pthread_mutex_unlock(&workload->lock);
    }
    return nr_pages;
}

static void go_out(struct workload *workload)
{
    struct workset *set = workload->set;
    size_t from_index = set->nr_pages / 2;
    size_t nr_out = set->nr_pages - from_index;

    workset_release(set, from_index);
    balloon_out(&workload->balloon, nr_out * PAGE_BYTES);
    workload->balloon_state = WORKLOAD_BALLOON_OUT;
    residents_changed(workload);
}

static void come_in(struct workload *workload)
{
    workset_retake(workload->set);
    workload->balloon.is_out = false;
    workload->balloon_state = WORKLOAD_BALLOON_IN;
    pthread_mutex_lock(&workload->lock);
    workload->status.balloon_cycles++;
    pthread_mutex_unlock(&workload->lock);
    residents_changed(workload);
}

static void count_late(struct workload *workload)
{
    pthread_mutex_lock(&workload->lock);
    workload->status.balloon_late++;
    pthread_mutex_unlock(&workload->lock);
}

static void balloon_step(struct workload *workload, int64_t now_ns)
{
    bool due = now_ns >= workload->balloon_due_ns;

    if (workload->spec.pattern != SPEC_BALLOON)
        return;
    switch (workload->balloon_state) {
    case WORKLOAD_BALLOON_IN:
        if (!due)
            return;
        go_out(workload);
        break;
    case WORKLOAD_BALLOON_OUT:
        if (!due)
            return;
        balloon_in(&workload->balloon);
        workload->balloon_state = WORKLOAD_BALLOON_COMING;
        break;
    case WORKLOAD_BALLOON_COMING:
        if (balloon_is_back(&workload->balloon))
            come_in(workload);
        else if (due)
            count_late(workload);
        else
            return;
        break;
    }
    workload->balloon_due_ns = now_ns + workload->spec.period_ms * NS_PER_MS;
}

static int answer(struct workload *workload, struct xcx_err *err)
{
    struct workset *set = workload->set;

    switch (workload->ask) {
    case WORKLOAD_ASK_CORRUPT:
        if (workload->argument >= set->nr_resident)
            return xcx_err_set(
                err, XCX_ERR_USAGE, 0, "page %llu is not below %zu",
                (unsigned long long)workload->argument, set->nr_resident);
        workset_corrupt(set, workload->argument);
        return 0;
    case WORKLOAD_ASK_RATE:
        set_rate(workload, workload->argument);
        return 0;
    case WORKLOAD_ASK_CHECK:
        for (size_t i = 0; i < set->nr_resident; i++)
            workset_verify(set, i);
        return 0;
    default:
        return xcx_err_set(err, XCX_ERR_BUG, 0, "unknown request");
    }
}

static void answer_ask(struct workload *workload)
{
    struct xcx_err err = XCX_ERR_INIT;
    int r = answer(workload, &err);

    pthread_mutex_lock(&workload->lock);
    workload->answer = r;
    workload->answer_err = err;
    workload->ask = WORKLOAD_ASK_NOTHING;
    pthread_cond_signal(&workload->answered);
    pthread_mutex_unlock(&workload->lock);
}

static int64_t nap_ns(const struct workload *workload)
{
    int64_t wait_ns = pace_wait_ns(&workload->sweep);

    if (workload->spec.pattern != SPEC_IDLE &&
        pace_wait_ns(&workload->dirty) < wait_ns)
        wait_ns = pace_wait_ns(&workload->dirty);
    if (wait_ns < NAP_MIN_NS)
        return NAP_MIN_NS;
    return wait_ns > NAP_MAX_NS ? NAP_MAX_NS : wait_ns;
}

static void *writer_main(void *arg)
{
    struct workload *workload = arg;

    while (!__atomic_load_n(&workload->stop, __ATOMIC_ACQUIRE)) {
        int64_t now_ns = clock_mono_ns();
        uint32_t nr_pages;

        if (__atomic_exchange_n(&workload->asked, false, __ATOMIC_ACQUIRE))
            answer_ask(workload);
        nr_pages = dirty_some(workload, now_ns);
        nr_pages += sweep_some(workload, now_ns);
        balloon_step(workload, now_ns);
        if (nr_pages == 0)
            clock_sleep_ns(nap_ns(workload));
    }
    balloon_in(&workload->balloon);
    return NULL;
}

int workload_start(struct workload *workload, const struct spec *spec,
                   struct workset *set, const char *balloon_dir,
                   struct xcx_err *err)
{
    int64_t now_ns = clock_mono_ns();

    workload->spec = *spec;
    workload->set = set;
    workload->balloon.dir = balloon_dir;
    workload->balloon_due_ns = now_ns + spec->period_ms * NS_PER_MS;
    pthread_mutex_init(&workload->lock, NULL);
    pthread_cond_init(&workload->answered, NULL);
    set_rate(workload, spec->rate_bytes_per_s);
    pace_init(&workload->sweep, (double)spec->verify_bytes_per_s / PAGE_BYTES,
              now_ns);
    residents_changed(workload);
    if (thread_start(&workload->thread, "writer", writer_main, workload, err))
        return -1;
    workload->started = true;
    return 0;
}

void workload_stop(struct workload *workload)
{
    if (!workload->started)
        return;
    __atomic_store_n(&workload->stop, true, __ATOMIC_RELEASE);
    pthread_join(workload->thread, NULL);
    pthread_cond_destroy(&workload->answered);
    pthread_mutex_destroy(&workload->lock);
    workload->started = false;
}

int workload_ask(struct workload *workload, enum workload_ask ask,
                 uint64_t argument, struct xcx_err *err)
{
    int r;

    pthread_mutex_lock(&workload->lock);
    workload->ask = ask;
    workload->argument = argument;
    __atomic_store_n(&workload->asked, true, __ATOMIC_RELEASE);
    while (workload->ask != WORKLOAD_ASK_NOTHING)
        pthread_cond_wait(&workload->answered, &workload->lock);
    r = workload->answer;
    if (r)
        xcx_err_set(err, workload->answer_err.kind, 0, "%s",
                    workload->answer_err.msg);
    pthread_mutex_unlock(&workload->lock);
    return r;
}

void workload_get_status(struct workload *workload,
                         struct workload_status *ret_status)
{
    pthread_mutex_lock(&workload->lock);
    *ret_status = workload->status;
    pthread_mutex_unlock(&workload->lock);
}
