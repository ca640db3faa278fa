using NativeHeap.Memory;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;

namespace NativeHeap.Collect.Launching;

/// <summary>What a check of a command needs to know of its surroundings.</summary>
public sealed record PreflightOptions
{
    /// <summary>The shim that will be preloaded.</summary>
    public required string ShimPath { get; init; }

    /// <summary>PATH as the command will be searched in; null when it is not set.</summary>
    public string? SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH");

    /// <summary>Where relative paths start.</summary>
    public string WorkingDirectory { get; init; } = Environment.CurrentDirectory;

    /// <summary>As whom the command will run.</summary>
    public PreflightCredentials Credentials { get; init; } = PreflightCredentials.Current();
}

/// <summary>A command that can be profiled.</summary>
/// <param name="File">The file that will be started, as found.</param>
/// <param name="Program">The ELF program that will run: the file, or the last of its interpreters.</param>
/// <param name="Interpreters">Interpreters of a script, outermost first; empty for a program.</param>
/// <param name="StartsDotNet">Whether all it does is to start .NET.</param>
public sealed record PreflightResult(
    string File, string Program, IReadOnlyList<string> Interpreters, bool StartsDotNet);

/// <summary>Says before anything is started whether a command can be profiled: finds its file as execvp(3) does,
/// follows interpreters as the kernel does, and looks at the program. Reads a few files; takes milliseconds.</summary>
public static class Preflight
{
    /// <summary>Checks a command.</summary>
    /// <param name="command">The command and its arguments.</param>
    /// <param name="options">Its surroundings.</param>
    /// <returns>What will run.</returns>
    /// <exception cref="ToolException">It cannot be profiled: the message says why and what to do, the code is
    /// <see cref="ExitCodes.Target"/>.</exception>
    public static PreflightResult Check(IReadOnlyList<string> command, PreflightOptions options)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(options);
        if (command.Count == 0)
        {
            throw new ToolException("no command is given", ExitCodes.Usage);
        }

        CheckShim(options.ShimPath);
        var found = PreflightSearch.Find(command[0], options.SearchPath, options.WorkingDirectory);
        if (found.Status is not { } status)
        {
            throw Refuse(found.Problem!);
        }

        var interpreters = new List<string>();
        var subject = $"'{found.Path}'";
        var path = found.Path;
        while (CheckFile(subject, Path.Combine(options.WorkingDirectory, path), status, options) is { } interpreter)
        {
            interpreters.Add(interpreter);
            if (interpreters.Count > PreflightScript.LongestChain)
            {
                throw Refuse($"'{found.Path}' is a script of a script of a script: the kernel follows no more than "
                    + $"{PreflightScript.LongestChain}; name a program as its interpreter");
            }

            subject = $"'{found.Path}' is a script for '{interpreter}', which";
            path = interpreter;
            if (FileStatus.TryRead(Path.Combine(options.WorkingDirectory, path), out _) is not { } next)
            {
                throw Refuse($"{subject} does not exist{Remark(interpreter)}; install it or correct the first line");
            }

            status = next;
        }

        var startsDotNet = DotNetHost.Is(Path.Combine(options.WorkingDirectory, path));
        return new PreflightResult(found.Path, path, interpreters, startsDotNet);
    }

    /// <summary>Says why a shim cannot be preloaded; returns when it can.</summary>
    /// <param name="path">The shim's file.</param>
    /// <exception cref="ToolException">It is missing, no shared library of this machine, or its path cannot be named
    /// in LD_PRELOAD.</exception>
    public static void CheckShim(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.AsSpan().IndexOfAny(' ', ':', '\t') >= 0 || path.Contains('\n', StringComparison.Ordinal))
        {
            throw Refuse($"the shim's path '{path}' holds a space or a colon, which LD_PRELOAD takes for separators; "
                + "move NativeHeap to another folder");
        }

        using var file = ElfFile.TryOpen(path, out var problem);
        if (file is null)
        {
            throw Refuse($"the shim '{path}' cannot be used ({problem}); build it with tools/build-native");
        }

        if (file.Header.Kind != ElfKind.Shared || file.Header.Machine != PreflightImage.CurrentMachine())
        {
            throw Refuse($"'{path}' is not a shim for this machine; build it with tools/build-native");
        }
    }

    // The interpreter when the file is a script, null when it is a program that can be profiled.
    private static string? CheckFile(string subject, string path, FileStatus status, PreflightOptions options)
    {
        if (status.Kind == FileKind.Directory)
        {
            throw Refuse($"{subject} is a directory; name a program in it");
        }

        if (status.Kind != FileKind.Regular)
        {
            throw Refuse($"{subject} is no regular file and cannot be started; name a program");
        }

        if (!FileStatus.MayExecute(path))
        {
            throw Refuse(
                $"{subject} is not executable for this user; see its permissions (chmod +x) and its mount (noexec)");
        }

        using var source = FileByteSource.TryOpen(path, out _);
        if (source is not null)
        {
            Span<byte> start = stackalloc byte[PreflightScript.LookedAt];
            start = start[..source.Read(0, start)];
            if (PreflightScript.IsScript(start))
            {
                // Privileges of a script are ignored: those of its interpreter count.
                return PreflightScript.Interpreter(start)
                    ?? throw Refuse($"{subject} is a script whose first line names no interpreter; "
                        + "write one after #!, such as #!/bin/sh");
            }

            CheckProgram(subject, path, source, start);
        }

        // A program we may run but not read is taken as it is: whether it can be profiled shows when it runs.
        if (PreflightPrivileges.SecureReason(path, status, options.Credentials) is { } reason)
        {
            throw Refuse($"{subject} {reason}, so the dynamic linker will not load the shim; "
                + "run it as that user or profile a copy without these privileges");
        }

        return null;
    }

    private static void CheckProgram(string subject, string path, FileByteSource source, ReadOnlySpan<byte> start)
    {
        if (!ElfHeader.HasMagic(start))
        {
            throw Refuse(start.IsEmpty
                ? $"{subject} is an empty file"
                : $"{subject} has neither an ELF header nor a #! line; start it by its interpreter, as in: sh {path}");
        }

        if (ElfFile.TryRead(source, out var problem) is not { } file)
        {
            throw Refuse($"{subject} is {problem}; it cannot be started");
        }

        if (PreflightImage.Refusal(file, PreflightImage.CurrentMachine()) is { } refusal)
        {
            throw Refuse($"{subject} {refusal}");
        }
    }

    private static string Remark(string interpreter) =>
        interpreter.EndsWith('\r') ? " (the line ends in a carriage return, as Windows writes it)" : string.Empty;

    // What stands in a file or an argument may hold anything: the message stays one line.
    private static ToolException Refuse(string message) =>
        new(string.Concat(message.Select(c => char.IsControl(c) ? '?' : c)), ExitCodes.Target);
}
