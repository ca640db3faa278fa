// See known_code.S.
#pragma once
#include <stdint.h>

extern "C" {
void known_rsp(void (*f)());
void known_rbp(void (*f)());
void known_drap(void (*f)());
void known_rbx(void (*f)());
void known_r12(void (*f)());
void known_root(void (*f)());
void on_other_stack(void* top, void (*f)());
void uncovered_with_rbp(void (*f)(), uintptr_t rbp);
void uncovered_frame(void (*f)());
void spin_known(volatile int* stop);
extern const char known_rsp_return[], known_rsp_end[], known_rbp_return[], known_drap_return[], known_rbx_return[];
extern const char uncovered_frame_end[], spin_known_end[];
}
