using System.Diagnostics;

namespace NativeHeap.Testing;

/// <summary>A test program that says a line when it is ready and ends when its standard input does.</summary>
internal sealed class RunningProgram : IDisposable
{
    private readonly Process _process;

    public RunningProgram(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        _process = Process.Start(start)!;
        FirstLine = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("it ended at once");
    }

    public RunningProgram(string path, params string[] arguments)
        : this(new ProcessStartInfo(path, arguments))
    {
    }

    public string FirstLine { get; }

    public int Pid => _process.Id;

    public void End()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
    }

    /// <summary>Ends it, and returns what else it said.</summary>
    public string EndAndRead()
    {
        _process.StandardInput.Close();
        var rest = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        return rest;
    }

    public void Dispose()
    {
        End();
        _process.Dispose();
    }
}
