using System.IO.Hashing;
using NativeHeap.Memory;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>
/// Finds the files of a binary: itself, its separate debug information by build id, by debug link, or in the cache of
/// a debuginfod client. A file whose build id is not the recorded one is another build and would give wrong names: it
/// is left out, with a note. The rules of the search are GDB's ("Separate Debug Files" of its manual).
/// </summary>
internal sealed class ModuleLocator(SymbolizerOptions options, Action<string> note)
{
    private const string Deleted = " (deleted)";

    // A user who set this wants tools to fetch debug information; then they are asked about every binary.
    private static readonly bool s_fetches =
        !string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable("DEBUGINFOD_URLS"));

    internal ModuleSymbols Open(Binary binary)
    {
        if (Vdso.IsVdso(binary.Path))
        {
            return new ModuleSymbols(null, Vdso.Open(binary.BuildId));
        }

        var candidates = new List<(string Path, ElfFile File)>();
        try
        {
            AddByBuildId(binary, candidates);
            var main = OpenMain(binary);
            if (main is { } opened)
            {
                candidates.Add(opened);
                AddByLink(binary, opened, candidates);
            }

            return Choose(candidates);
        }
        finally
        {
            foreach (var (_, file) in candidates)
            {
                file.Dispose();
            }
        }
    }

    // Takes the chosen file out of the list, whose files are closed afterwards.
    private static ModuleSymbols Choose(List<(string Path, ElfFile File)> candidates)
    {
        var lines = candidates.ElementAtOrDefault(Index(candidates, ".debug_info")).Path
            ?? (s_fetches && candidates.Count > 0 ? candidates[^1].Path : null);
        var names = Index(candidates, ".symtab");
        names = names >= 0 ? names : Index(candidates, ".dynsym");
        if (names < 0)
        {
            return new ModuleSymbols(Askable(lines), null);
        }

        var file = candidates[names].File;
        candidates.RemoveAt(names);
        return new ModuleSymbols(Askable(lines), file);
    }

    private static int Index(List<(string Path, ElfFile File)> candidates, string section) =>
        candidates.FindIndex(candidate => candidate.File.FindSection(section) is not null);

    // A path that would break the tool's line of input is not asked about; its names come from the symbol table.
    private static string? Askable(string? path) =>
        path is null || path.Any(c => char.IsControl(c) || c is '"' or '\uFFFD') ? null : path;

    private (string Path, ElfFile File)? OpenMain(Binary binary)
    {
        var deleted = binary.Path.EndsWith(Deleted, StringComparison.Ordinal);
        var path = deleted ? binary.Path[..^Deleted.Length] : binary.Path;
        if (!path.StartsWith('/') || ElfFile.TryOpen(path, out _) is not { } file)
        {
            return null;
        }

        if (file.BuildId != binary.BuildId)
        {
            note($"{path} is not the build that was recorded: its symbols are left out");
            file.Dispose();
            return null;
        }

        if (deleted && binary.BuildId is null)
        {
            note($"{path} was replaced and has no build id to know it by: its symbols are left out");
            file.Dispose();
            return null;
        }

        return (path, file);
    }

    private void AddByBuildId(Binary binary, List<(string Path, ElfFile File)> candidates)
    {
        if (binary.BuildId is not { Length: > 2 and <= 128 } id || !id.All(char.IsAsciiHexDigitLower))
        {
            return;
        }

        var places = options.DebugFolders.Select(folder => $"{folder}/.build-id/{id[..2]}/{id[2..]}.debug")
            .Concat(options.CacheFolders.Select(folder => $"{folder}/{id}/debuginfo"));
        foreach (var place in places)
        {
            if (ElfFile.TryOpen(place, out _) is not { } file)
            {
                continue;
            }

            if (file.BuildId == id)
            {
                candidates.Add((place, file));
                return;
            }

            note($"{place} is not the debug information of build {id}: it is left out");
            file.Dispose();
        }
    }

    private void AddByLink(
        Binary binary, (string Path, ElfFile File) main, List<(string Path, ElfFile File)> candidates)
    {
        if (main.File.DebugLink is not { } link || candidates.Count > 1
            || link.FileName.Contains('/', StringComparison.Ordinal))
        {
            return;
        }

        var folder = RealFolder(main.Path);
        string[] places =
        [
            $"{folder}/{link.FileName}",
            $"{folder}/.debug/{link.FileName}",
            .. options.DebugFolders.Select(root => $"{root}{folder}/{link.FileName}"),
        ];
        foreach (var place in places)
        {
            if (ElfFile.TryOpen(place, out _) is not { } file)
            {
                continue;
            }

            var same = binary.BuildId is not null
                ? file.BuildId == binary.BuildId && file.FindSection(".debug_info") is not null
                : Checksum(place) == link.Checksum;
            if (same)
            {
                candidates.Add((place, file));
                return;
            }

            file.Dispose();
        }
    }

    private static string RealFolder(string path)
    {
        try
        {
            path = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            // It was replaced meanwhile.
        }

        return Path.GetDirectoryName(path)?.TrimEnd('/') ?? string.Empty;
    }

    private static uint? Checksum(string path)
    {
        using var source = FileByteSource.TryOpen(path, out _);
        if (source is null)
        {
            return null;
        }

        var checksum = new Crc32();
        var buffer = new byte[1 << 16];
        for (long offset = 0; offset < source.Length;)
        {
            var count = source.Read(offset, buffer);
            if (count == 0)
            {
                return null;
            }

            checksum.Append(buffer.AsSpan(0, count));
            offset += count;
        }

        return checksum.GetCurrentHashAsUInt32();
    }
}
