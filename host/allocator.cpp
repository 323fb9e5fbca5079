// SPDX-License-Identifier: Apache-2.0
// How jemalloc is to behave in a host: events are made on one thread and let go on another, a batch at a time, so memory that is free now
// is wanted again soon; but what a burst has taken is given back within seconds. Few arenas, for the threads of a domain take turns rather
// than compete. docs/decisions/0060 has the figures. The variable is jemalloc's own interface [jemalloc(3), TUNING]; MALLOC_CONF in the
// environment goes on top of it.
extern "C" {
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,tcache_max:1024,dirty_decay_ms:200,muzzy_decay_ms:0";
}
