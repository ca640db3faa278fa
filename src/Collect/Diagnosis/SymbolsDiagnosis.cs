using System.ComponentModel;
using System.Diagnostics;
using NativeHeap.Symbols;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>What functions, files and lines will be named by. Nothing of it is needed to record.</summary>
public static class SymbolsDiagnosis
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Looks for tools and debug information.</summary>
    public static IReadOnlyList<Finding> Examine(SymbolizerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return [.. LineTools(options.Tools), Demangler(options.Tools), DebugFolders(options), Fetching()];
    }

    private static IEnumerable<Finding> LineTools(SymbolTools tools)
    {
        const string cure = "install llvm or binutils";
        if (tools.LlvmSymbolizer is { } llvm)
        {
            yield return Finding.Ok("llvm-symbolizer", $"{llvm} ({Version(llvm)})");
        }
        else
        {
            yield return Finding.Note("llvm-symbolizer", "not installed", "install llvm: it is the faster one");
        }

        if (tools.Addr2Line is { } addr2line)
        {
            yield return Finding.Ok("addr2line", $"{addr2line} ({Version(addr2line)})");
        }
        else
        {
            yield return tools.LlvmSymbolizer is null
                ? Finding.Note("addr2line", "not installed: functions will have names but no files and lines", cure)
                : Finding.Note("addr2line", "not installed; llvm-symbolizer does its work");
        }
    }

    private static Finding Demangler(SymbolTools tools) => tools.Demangler is { } path
        ? Finding.Ok("demangler", path)
        : Finding.Note("demangler", "not installed: C++ and Rust names stay mangled", "install binutils");

    private static Finding DebugFolders(SymbolizerOptions options)
    {
        const string name = "debug information";
        var there = options.DebugFolders.Concat(options.CacheFolders).Where(Directory.Exists).ToList();
        return there.Count > 0
            ? Finding.Ok(name, "separate files are looked for in " + string.Join(", ", there))
            : Finding.Note(
                name, "no separate files: stripped binaries name what they export", "install -dbg or -dbgsym packages");
    }

    private static Finding Fetching() => Environment.GetEnvironmentVariable("DEBUGINFOD_URLS") is { Length: > 0 } urls
        ? Finding.Note("debuginfod", $"DEBUGINFOD_URLS is set: llvm-symbolizer may fetch from {urls}")
        : Finding.Ok("debuginfod", "DEBUGINFOD_URLS is not set: nothing is fetched from a network");

    // The first line with a digit of what the tool says about itself.
    private static string Version(string path)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(path, ["--version"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            using var limit = new Timer(_ => process.Kill(), null, s_patience, Timeout.InfiniteTimeSpan);
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            var lines = process.StandardOutput.ReadToEnd().Split('\n');
            process.WaitForExit();
            return lines.FirstOrDefault(line => line.Any(char.IsAsciiDigit))?.Trim() ?? "tells no version";
        }
        catch (Win32Exception error)
        {
            return "cannot be started: " + error.Message;
        }
    }
}
