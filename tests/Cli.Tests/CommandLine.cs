using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.Cli.Tests;

/// <summary>What a command line came to.</summary>
internal sealed record Outcome(int Code, string Output, string Error);

/// <summary>The command line as a user has it: run by the supervisor, the others without.</summary>
internal sealed class CommandLine : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly string Root = FindRoot();
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private CommandLine(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _output = _process.StandardOutput.ReadToEndAsync();
        _error = _process.StandardError.ReadToEndAsync();
    }

    private static string Program => Path.Combine(Root, "src/Cli/bin/Release/net10.0/nativeheap.dll");

    private static string Launcher => Path.Combine(Root, "out/native/nativeheap-launch");

    /// <summary>The process that the shell would have started.</summary>
    public int Pid => _process.Id;

    /// <summary>A program of tests/targets.</summary>
    public static string Target(string name) => Path.Combine(Root, "out/native/targets", name);

    public static CommandLine Start(IEnumerable<string> arguments, Action<ProcessStartInfo>? prepare = null)
    {
        var start = new ProcessStartInfo(Launcher, ["dotnet", Program, .. arguments]);
        prepare?.Invoke(start);
        return new CommandLine(start);
    }

    /// <summary>A verb under the supervisor, to its end.</summary>
    public static Outcome Run(params string[] arguments) => RunIn(null, arguments);

    public static Outcome RunIn(Action<ProcessStartInfo>? prepare, params string[] arguments)
    {
        using var line = Start(arguments, prepare);
        return line.Finish();
    }

    /// <summary>A verb without the supervisor, to its end.</summary>
    public static Outcome RunAlone(params string[] arguments)
    {
        using var line = new CommandLine(new ProcessStartInfo("dotnet", [Program, .. arguments]));
        return line.Finish();
    }

    /// <summary>The same command without us.</summary>
    public static Outcome RunPlain(params string[] command)
    {
        using var line = new CommandLine(new ProcessStartInfo(command[0], command[1..]));
        return line.Finish();
    }

    /// <summary>Waits for the end, and for the end of what it writes: whoever inherits its pipes must end, too.</summary>
    public Outcome Finish()
    {
        var end = Task.WhenAll(_process.WaitForExitAsync(), _output, _error);
        Assert.True(
            end.Wait(Patience),
            $"{string.Join(' ', _process.StartInfo.ArgumentList)} {(_process.HasExited ? "ended, its output did not" : "hangs")}");
        return new Outcome(_process.ExitCode, _output.GetAwaiter().GetResult(), _error.GetAwaiter().GetResult());
    }

    /// <summary>The supervisor's children: the collector first, then the command once it runs.</summary>
    public IReadOnlyList<int> Children() =>
        [.. File.ReadAllText($"/proc/{Pid}/task/{Pid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pid => int.Parse(pid, CultureInfo.InvariantCulture))];

    /// <summary>Waits until something is so; fails the test when that does not come about.</summary>
    public static void Until(Func<bool> condition)
    {
        var patience = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(patience.Elapsed < Patience, "it did not come about");
            Thread.Sleep(5);
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }
        _process.Dispose();
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "NativeHeap.sln")))
            {
                return folder.FullName;
            }
        }
        throw new DirectoryNotFoundException("NativeHeap.sln is in no folder above " + AppContext.BaseDirectory);
    }
}
