// A copy of this process (a fork of it) that hands its memory over to the collector, for where the kernel lets nobody
// read this process from outside: one that has made itself undumpable, has changed its user, or under Yama's strict
// scopes.
#pragma once
#include <stdint.h>

namespace nh::process {

// Makes the copy that the collector wants for a round of parking, if it wants one and no other thread has made it. For
// a thread that is parked, with the others: they and it stay as they are. The copy runs nothing of the program, has
// none of its descriptors and all signals blocked; it is no child that wait(2) would tell of (its exit signal is 0,
// clone(2)), and ends when the collector says so or is gone.
void make_copy(uint32_t slot, uint32_t round);

// Takes the entry of a copy that has ended out of the process table. Any thread; system calls only where one was made.
void bury_copy();

}  // namespace nh::process
