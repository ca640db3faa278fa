using NativeHeap.Model;

namespace NativeHeap.Collect.Launching;

/// <summary>What <c>run</c> does with settings that the user has in the environment: the shim would say what it cannot
/// understand and leave the program unprofiled, so it is refused before anything is started.</summary>
public static class ShimSettings
{
    /// <summary>Where the collector listens.</summary>
    public const string Socket = ShimSettingTable.Prefix + "SOCKET";

    /// <summary>A file to write to when there is no collector.</summary>
    public const string Out = ShimSettingTable.Prefix + "OUT";

    /// <summary>Mean bytes between samples.</summary>
    public const string Sample = ShimSettingTable.Prefix + "SAMPLE";

    /// <summary><c>yes</c> or <c>no</c>: whether mappings are recorded, too.</summary>
    public const string Mmap = ShimSettingTable.Prefix + "MMAP";

    /// <summary><c>yes</c> or <c>no</c>: whether children are recorded too.</summary>
    public const string Follow = ShimSettingTable.Prefix + "FOLLOW";

    /// <summary>Refuses settings that are none, and values that cannot be followed.</summary>
    /// <param name="environment">Names and values.</param>
    /// <exception cref="ToolException">There is one; exit code 2.</exception>
    public static void Check(IEnumerable<KeyValuePair<string, string>> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        var ours = environment
            .Where(setting => setting.Key.StartsWith(ShimSettingTable.Prefix, StringComparison.Ordinal))
            .OrderBy(setting => setting.Key, StringComparer.Ordinal);
        foreach (var (name, value) in ours)
        {
            if (Problem(name, value) is { } problem)
            {
                throw new ToolException($"{name} {problem}; unset it", ExitCodes.Usage);
            }
        }
    }

    private static string? Problem(string name, string value) => name switch
    {
        Socket => null, // replaced by ours
        Follow or Mmap => value is "yes" or "no" ? null : $"is '{value}', which is neither yes nor no",
        Sample => null, // run reads it as it reads --sample, and says what it cannot read
        Out => "asks for a recording without a collector",
        _ when ShimSettingTable.All.Any(setting => setting.Name == name) => null,
        _ => $"is no setting (there are {string.Join(", ", ShimSettingTable.All.Select(setting => setting.Name))})",
    };
}
