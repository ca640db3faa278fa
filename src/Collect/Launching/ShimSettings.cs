using NativeHeap.Model;

namespace NativeHeap.Collect.Launching;

/// <summary>The settings that the shim reads from its environment.</summary>
public static class ShimSettings
{
    private const string Prefix = "NATIVEHEAP_";

    /// <summary>Where the collector listens.</summary>
    public const string Socket = Prefix + "SOCKET";

    /// <summary>A file to write to when there is no collector.</summary>
    public const string Out = Prefix + "OUT";

    /// <summary>Mean bytes between samples.</summary>
    public const string Sample = Prefix + "SAMPLE";

    /// <summary><c>yes</c> or <c>no</c>: whether children are recorded too.</summary>
    public const string Follow = Prefix + "FOLLOW";

    private static readonly string[] All = [Socket, Out, Sample, Follow];

    /// <summary>Refuses what the shim would refuse, before anything is started.</summary>
    /// <param name="names">Names of the environment.</param>
    /// <exception cref="ToolException">One begins like a setting and is none.</exception>
    public static void Check(IEnumerable<string> names)
    {
        var unknown = names.FirstOrDefault(name => name.StartsWith(Prefix, StringComparison.Ordinal) && !All.Contains(name));
        if (unknown is not null)
        {
            throw new ToolException(
                $"{unknown} is no setting (there are {string.Join(", ", All)}); unset it", ExitCodes.Usage);
        }
    }
}
