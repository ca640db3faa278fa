using System.Diagnostics;

namespace NativeHeap.Testing;

/// <summary>Runs compilers, binutils and test programs to their end.</summary>
internal static class Tool
{
    /// <summary>Standard output of a command that has to succeed.</summary>
    public static string Run(string command, params string[] arguments)
    {
        var (exitCode, output, errors) = TryRun(command, arguments);
        Assert.True(exitCode == 0, $"{command} {string.Join(' ', arguments)} ended with {exitCode}: {errors}");
        return output;
    }

    public static (int ExitCode, string Output, string Errors) TryRun(string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }

    public static bool Exists(string command) => Find(command) is not null;

    public static string? Find(string command) => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
        .Split(':')
        .Select(folder => Path.Combine(folder, command))
        .FirstOrDefault(File.Exists);

    /// <summary>Skips the test, saying what is missing, where a command is not installed.</summary>
    public static void Need(string command) => Assert.SkipUnless(Exists(command), $"{command} is not installed");

    /// <summary>Compiles C source text; the extra arguments stand after the source, where libraries belong.</summary>
    public static string CompileC(TempFolder folder, string name, string source, params string[] arguments) =>
        Compile("gcc", folder, name, ".c", source, arguments);

    public static string CompileCpp(TempFolder folder, string name, string source, params string[] arguments) =>
        Compile("g++", folder, name, ".cpp", source, arguments);

    private static string Compile(
        string compiler, TempFolder folder, string name, string extension, string source, string[] arguments)
    {
        var file = folder.Write(name + extension, source);
        Run(compiler, ["-o", folder[name], file, .. arguments]);
        return folder[name];
    }
}
