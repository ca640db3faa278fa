using System.Text.RegularExpressions;

namespace NativeHeap.Symbols;

/// <summary>Linkage names on their way to names for people.</summary>
internal static partial class FunctionNames
{
    private const int LongestName = 64 * 1024;

    /// <summary>True for names of C++ (Itanium), Rust (legacy, which looks like it, and v0).</summary>
    internal static bool IsMangled(string name) =>
        name.StartsWith("_Z", StringComparison.Ordinal) || name.StartsWith("_R", StringComparison.Ordinal);

    /// <summary>Without what compilers and linkers add for parts and copies of a function (.cold, .isra.0, .llvm.123)
    /// and without a symbol version: the source has one function, and debug information gives its plain name.</summary>
    internal static string WithoutSuffixes(string name)
    {
        var at = name.IndexOf('@', StringComparison.Ordinal);
        name = at > 0 ? name[..at] : name;
        return name.Contains('.', StringComparison.Ordinal) ? Suffixes().Replace(name, string.Empty) : name;
    }

    /// <summary>Without the hash that ends a name of Rust's legacy scheme; not every demangler takes it away.</summary>
    /// <param name="mangled">The mangled name.</param>
    /// <param name="demangled">The demangled one.</param>
    internal static string WithoutHash(string mangled, string demangled)
    {
        const int hash = 19; // ::h and 16 digits
        return LegacyRust().IsMatch(mangled) && demangled.Length > hash && LegacyHash().IsMatch(demangled)
            ? demangled[..^hash]
            : demangled;
    }

    /// <summary>One line of bounded length, whatever a file says.</summary>
    internal static string? Printable(string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (text.Length > LongestName)
        {
            text = string.Concat(text.AsSpan(0, LongestName), "…");
        }

        return text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? '\uFFFD' : c)) : text;
    }

    [GeneratedRegex("^_ZN.*17h[0-9a-f]{16}E$", RegexOptions.CultureInvariant)]
    private static partial Regex LegacyRust();

    [GeneratedRegex("::h[0-9a-f]{16}$", RegexOptions.CultureInvariant)]
    private static partial Regex LegacyHash();

    [GeneratedRegex(
        @"(\.(cold|isra|constprop|part|lto_priv|llvm|localalias|clone)(\.\d+)*)+$", RegexOptions.CultureInvariant)]
    private static partial Regex Suffixes();
}
