using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace NativeHeap.Cli;

/// <summary>What a new trace says of where it comes from, and how it is called when nobody says.</summary>
internal static class TraceDescription
{
    /// <summary>Sets the texts of <c>meta</c>.</summary>
    /// <param name="set">Sets one: key, value.</param>
    /// <param name="command">The recorded command; may be empty when it is not known.</param>
    public static void Describe(Action<string, string> set, IReadOnlyList<string> command)
    {
        set("tool_version", typeof(TraceDescription).Assembly.GetName().Version!.ToString(3));
        set("command", JsonSerializer.Serialize(command, CommandJson.Default.IReadOnlyListString));
        set("host", Environment.MachineName);
        set("kernel", RuntimeInformation.OSDescription);
        set("machine", RuntimeInformation.OSArchitecture.ToString());
    }

    /// <summary>The default name of a trace.</summary>
    /// <param name="program">The program's name, without folders.</param>
    /// <param name="pid">The process that the user knows.</param>
    /// <param name="again">How many traces of that name there are already.</param>
    public static string FileName(string program, int pid, int again = 0)
    {
        var name = string.Concat(program.Select(c => char.IsControl(c) || c == '@' ? '_' : c));
        var number = again == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"-{again + 1}");
        return string.Create(CultureInfo.InvariantCulture, $"nativeheap.{name}.{pid}{number}.nheap");
    }
}
