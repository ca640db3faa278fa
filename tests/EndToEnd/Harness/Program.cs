using System.Diagnostics;
using System.Text;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>How a program ended and every byte it wrote (Latin-1, so that no byte is lost).</summary>
internal sealed record Outcome(int ExitCode, string Output, string Errors)
{
    private const string Prefix = "nativeheap: ";

    /// <summary>What the profiler said on stderr, without its prefix.</summary>
    public IReadOnlyList<string> Said { get; } =
        [.. Errors.Split('\n').Where(line => line.StartsWith(Prefix, StringComparison.Ordinal)).Select(line => line[Prefix.Length..])];

    /// <summary>What the program itself said on stderr.</summary>
    public string OwnErrors { get; } =
        string.Join('\n', Errors.Split('\n').Where(line => !line.StartsWith(Prefix, StringComparison.Ordinal)));

    /// <summary>Fails with all that is known when the exit code is another.</summary>
    public Outcome Expect(int exitCode)
    {
        Assert.True(
            ExitCode == exitCode,
            $"exit code {ExitCode} instead of {exitCode}\n-- output --\n{Tail(Output)}\n-- errors --\n{Tail(Errors)}");
        return this;
    }

    private static string Tail(string text) => text.Length <= 4000 ? text : "…" + text[^4000..];
}

/// <summary>A program that runs until it ends by itself; a test that is given up kills it.</summary>
internal sealed class Program : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    private Program(Process process, bool keepInput)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _errors = process.StandardError.ReadToEndAsync();
        if (!keepInput)
        {
            process.StandardInput.Close();
        }
    }

    public int Pid => _process.Id;

    public bool HasEnded => _process.HasExited;

    public static Program Start(IReadOnlyList<string> command, Surroundings? surroundings = null)
    {
        var around = surroundings ?? new Surroundings();
        string[] all = [.. around.Wrapper, .. command];
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
            StandardErrorEncoding = Encoding.Latin1,
            WorkingDirectory = around.Folder ?? "",
        };
        // The test runner's own runtime settings are none of the program's business.
        foreach (var name in start.Environment.Keys.Where(IsOurs).ToList())
        {
            start.Environment.Remove(name);
        }
        start.Environment["LC_ALL"] = "C.UTF-8";
        foreach (var (name, value) in around.Environment)
        {
            start.Environment[name] = value;
        }
        return new Program(Process.Start(start)!, around.KeepInput);
    }

    public static Outcome Run(IReadOnlyList<string> command, Surroundings? surroundings = null)
    {
        using var program = Start(command, surroundings);
        return program.Wait();
    }

    /// <summary>Has tests/targets/stepwise.c take a step, and waits until it has (see
    /// <see cref="Surroundings.KeepInput"/>).</summary>
    /// <param name="step">The step's letter.</param>
    /// <param name="done">The file that grows with each.</param>
    public void Step(char step, string done)
    {
        var before = File.Exists(done) ? new FileInfo(done).Length : 0;
        _process.StandardInput.Write(step);
        _process.StandardInput.Flush();
        for (var clock = Stopwatch.StartNew(); !File.Exists(done) || new FileInfo(done).Length == before; Thread.Yield())
        {
            Assert.True(!_process.HasExited && clock.Elapsed < s_patience, $"step {step} is not taken");
        }
    }

    /// <summary>Ends its standard input (see <see cref="Surroundings.KeepInput"/>).</summary>
    public void EndInput() => _process.StandardInput.Close();

    /// <summary>Waits for the end and for the end of its output.</summary>
    public Outcome Wait()
    {
        if (!_process.WaitForExit(s_patience))
        {
            _process.Kill(entireProcessTree: true);
            Assert.Fail($"{_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)} hangs");
        }
        Assert.True(Task.WaitAll([_output, _errors], s_patience), "somebody still holds the program's output");
        return new Outcome(_process.ExitCode, _output.Result, _errors.Result);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }
        _process.Dispose();
    }

    private static bool IsOurs(string name) =>
        name.StartsWith("DOTNET_", StringComparison.Ordinal) && name != "DOTNET_ROOT"
        || name.StartsWith("NATIVEHEAP_", StringComparison.Ordinal)
        || name.StartsWith("TESTINGPLATFORM", StringComparison.Ordinal);
}

/// <summary>What a program finds around it.</summary>
internal sealed record Surroundings
{
    /// <summary>Its standard input stays open until <see cref="Program.EndInput"/>; else it is empty.</summary>
    public bool KeepInput { get; init; }

    /// <summary>Working folder; null: the tests'.</summary>
    public string? Folder { get; init; }

    /// <summary>Variables set, or with null taken away.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>A command that becomes the one that follows it, such as <c>setarch -R</c>.</summary>
    public IReadOnlyList<string> Wrapper { get; init; } = [];

    /// <summary>A shell that does something, such as <c>ulimit -n 64</c>, and becomes the command.</summary>
    public static Surroundings After(string shellCommands) =>
        new() { Wrapper = ["/bin/bash", "-c", shellCommands + "\nexec \"$@\"", "bash"] };
}
