using Xunit.Sdk;
using Xunit.v3;

// Real processes with timings of their own on a small machine: one test at a time.
[assembly: Parallelization(Mode = ParallelMode.None)]
