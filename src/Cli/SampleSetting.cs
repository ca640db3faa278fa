using NativeHeap.Collect.Launching;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>How densely a run is sampled: by <c>--sample</c>, else by the environment.</summary>
internal static class SampleSetting
{
    /// <summary>More would record nothing at all; the shim knows no more either (native/process/settings.cpp).</summary>
    private const long Most = 1L << 40;

    /// <summary>The mean distance of samples in bytes; 0: every allocation is recorded.</summary>
    /// <param name="option">What <c>--sample</c> said; null: nothing.</param>
    /// <exception cref="ToolException">It cannot be followed; exit code 2.</exception>
    public static long Choose(long? option) => option switch
    {
        { } bytes => Bound(bytes, "--sample"),
        null => FromEnvironment(),
    };

    /// <summary>A mean distance that is not too large.</summary>
    /// <param name="bytes">The distance.</param>
    /// <param name="name">Who says so.</param>
    /// <exception cref="ToolException">It is; exit code 2.</exception>
    public static long Bound(long bytes, string name) =>
        bytes <= Most ? bytes : throw new ToolException($"{name} is at most 1TiB", ExitCodes.Usage);

    /// <summary>What the environment asks for; 0: every allocation is recorded.</summary>
    /// <exception cref="ToolException">It is no size; exit code 2.</exception>
    public static long FromEnvironment() => Environment.GetEnvironmentVariable(ShimSettings.Sample) switch
    {
        null => 0,
        var text when Quantities.TryParseSize(text, out var bytes) && bytes <= Most => bytes,
        var text => throw new ToolException(
            $"{ShimSettings.Sample} is '{text}', which is no size such as 512KiB, 1TiB at most; unset it", ExitCodes.Usage),
    };
}
