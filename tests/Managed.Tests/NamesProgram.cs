using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.Managed.Tests;

/// <summary>tests/targets/managed: says of its own code what it is called, where it lies and when.</summary>
internal sealed class NamesProgram : IDisposable
{
    private readonly Process _process;

    public NamesProgram(string argument, params (string Name, string Value)[] environment)
    {
        // Its own host looks for the runtime where DOTNET_ROOT says.
        var hasRoot = environment.Any(variable => variable.Name == "DOTNET_ROOT");
        var start = new ProcessStartInfo(
            hasRoot ? Path.ChangeExtension(Assembly, null) : "dotnet", hasRoot ? [argument] : [Assembly, argument])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
    }

    public static string Assembly { get; } = Find();

    public int Pid => _process.Id;

    public List<Claim> Claims { get; } = [];

    /// <summary>Reads claims until another line comes, or so many; at the end of the output returns null.</summary>
    public string? Read(int most = int.MaxValue)
    {
        while (most-- > 0 && _process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split('|') is not [var name, var address, var time, var at])
            {
                return line;
            }

            Claims.Add(new Claim(name, Number(address), Number(time), (int)Number(at)));
        }

        return null;
    }

    public void GoOn() => _process.StandardInput.WriteLine();

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        var configuration = folder.Contains("/Debug/", StringComparison.Ordinal) ? "Debug" : "Release";
        while (!File.Exists(Path.Combine(folder, "NativeHeap.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not inside the repository");
        }

        return Path.Combine(folder, $"tests/targets/managed/bin/{configuration}/net10.0/managed-names.dll");
    }
}

/// <summary>What the program says of one of its addresses; line 0: there is none.</summary>
internal sealed record Claim(string Name, ulong Address, ulong TimeNs, int Line);
