using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>
/// Random moments that can be had again: the seed is in the test's output, and NATIVEHEAP_TEST_SEED sets it.
/// </summary>
internal static class Seed
{
    /// <summary>How often to repeat what lives of repetition; tools/soak asks for more.</summary>
    public static int Times { get; } =
        int.Parse(Environment.GetEnvironmentVariable("NATIVEHEAP_TEST_TIMES") ?? "20", CultureInfo.InvariantCulture);

    public static Random Next()
    {
        var set = Environment.GetEnvironmentVariable("NATIVEHEAP_TEST_SEED");
        var seed = set is null ? Random.Shared.Next() : int.Parse(set, CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"NATIVEHEAP_TEST_SEED={seed}");
        return new Random(seed);
    }
}
