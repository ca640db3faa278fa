#pragma once
#include <stddef.h>

struct late_table {
    void* (*allocate)(size_t);
    void* (*allocate_zeroed)(size_t, size_t);
    void* (*resize)(void*, size_t);
    void (*release)(void*);
};

#define LATE_(kind, name) late_##kind##_##name
#define LATE_EXPANDED(kind, name) LATE_(kind, name)
#define LATE(name) LATE_EXPANDED(LATE_KIND, name)

extern void* (*late_lazy_variable)(size_t);
extern void* (*late_bound_variable)(size_t);
const struct late_table* late_lazy_functions(void);
const struct late_table* late_bound_functions(void);
void* late_lazy_allocate(size_t bytes);
void* late_bound_allocate(size_t bytes);
void late_lazy_release(void* block);
void late_bound_release(void* block);
