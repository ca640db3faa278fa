using System.Text.RegularExpressions;

namespace NativeHeap.Collect.Launching;

/// <summary>A setting of the shim: an environment variable of the profiled program.</summary>
/// <param name="Name">The whole name.</param>
/// <param name="Default">What holds when it is not set, in words.</param>
/// <param name="Meaning">What it is for.</param>
public sealed record ShimSetting(string Name, string Default, string Meaning);

/// <summary>The settings as native/process/settings.def lists them, from which the shim reads them too.</summary>
public static partial class ShimSettingTable
{
    /// <summary>What every name begins with.</summary>
    public const string Prefix = "NATIVEHEAP_";

    /// <summary>All settings, in the table's order.</summary>
    public static IReadOnlyList<ShimSetting> All { get; } = Read();

    private static List<ShimSetting> Read()
    {
        using var stream = typeof(ShimSettingTable).Assembly.GetManifestResourceStream("settings.def")
            ?? throw new InvalidOperationException("settings.def is not embedded");
        using var reader = new StreamReader(stream);
        return
        [
            .. Entry().Matches(reader.ReadToEnd()).Select(entry => new ShimSetting(
                Prefix + entry.Groups["name"].Value, entry.Groups["initial"].Value, entry.Groups["meaning"].Value)),
        ];
    }

    [GeneratedRegex(
        @"^NH_SETTING\((?<name>\w+), \w+, ""(?<initial>[^""]*)"", ""(?<meaning>[^""]*)""\)$", RegexOptions.Multiline)]
    private static partial Regex Entry();
}
