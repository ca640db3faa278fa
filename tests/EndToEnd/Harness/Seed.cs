using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>
/// Random moments that can be had again: the seed is in the test's output, and NATIVEHEAP_TEST_SEED sets it.
/// </summary>
internal static class Seed
{
    public static Random Next()
    {
        var set = Environment.GetEnvironmentVariable("NATIVEHEAP_TEST_SEED");
        var seed = set is null ? Random.Shared.Next() : int.Parse(set, CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"NATIVEHEAP_TEST_SEED={seed}");
        return new Random(seed);
    }
}
