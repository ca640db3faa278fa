using NativeHeap.Collect.Diagnosis;
using NativeHeap.Collect.Launching;
using NativeHeap.Present;

namespace NativeHeap.Cli;

/// <summary>Doctor's findings for a person.</summary>
internal static class DoctorText
{
    private const int NameColumns = 25;

    /// <summary>Writes everything.</summary>
    public static void Write(TextCanvas canvas, DoctorReport report)
    {
        foreach (var finding in report.Findings)
        {
            WriteFinding(canvas, finding);
        }

        if (report.Process is { } process)
        {
            canvas.Line();
            canvas.Line(OneLine($"process {process.Pid} ({process.Command}): {process.Detail}"), Emphasis.Strong);
            canvas.Line(OneLine("  " + process.Attaching));
        }

        canvas.Line();
        canvas.Line("Settings, as environment variables of the profiled program:");
        foreach (var setting in ShimSettingTable.All)
        {
            var value = Environment.GetEnvironmentVariable(setting.Name);
            var state = value is null ? "not set" : $"set to '{value}'";
            var text = $"  {setting.Name,-NameColumns}  {setting.Meaning}; default {setting.Default}; {state}";
            canvas.Line(OneLine(text), hanging: 2 + NameColumns);
        }

        canvas.Line();
        canvas.Line(
            report.Works ? "Profiling will work here." : "Profiling will not work: see FAILS above.", Emphasis.Strong);
    }

    private static void WriteFinding(TextCanvas canvas, Finding finding)
    {
        var (word, emphasis) = finding.State switch
        {
            FindingState.Ok => ("ok", Emphasis.None),
            FindingState.Note => ("note", Emphasis.None),
            _ => ("FAILS", Emphasis.Warning),
        };
        var cure = finding.Cure is null ? string.Empty : $" ({finding.Cure})";
        var text = $"{word,-5}  {finding.Name,-NameColumns}  {finding.Detail}{cure}";
        canvas.Line(OneLine(text), emphasis, hanging: 9 + NameColumns);
    }

    // Commands, paths and variables may hold anything.
    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
