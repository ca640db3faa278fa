using System.Globalization;
using Microsoft.Diagnostics.NETCore.Client;

namespace NativeHeap.Managed;

/// <summary>Has a .NET runtime load a library, as it loads a profiler, through its diagnostic port: nothing is traced, and
/// no thread of the program is touched.</summary>
public static class ProfilerPort
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Asks a runtime to load the library and to hand it a text.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="classId">Which class of the library is asked for.</param>
    /// <param name="library">Its path, as the process sees it.</param>
    /// <param name="data">What it is given.</param>
    /// <param name="problem">Why the runtime could not be asked, in a few words; null when it answered.</param>
    /// <returns>The HRESULT: 0, or what the library answered; null when the runtime could not be asked.</returns>
    public static uint? Load(int pid, Guid classId, string library, byte[] data, out string? problem)
    {
        problem = "its runtime has no diagnostic port";
        try
        {
            if (DefaultPort.Connect(pid, CancellationToken.None) is not { } client)
            {
                return null;
            }

            problem = null;
            client.AttachProfiler(Patience, classId, library, data);
            return 0;
        }
        catch (ServerErrorException error)
        {
            problem = null;
            return ReadResult(error.Message) ?? (uint)error.HResult;
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            problem = EventStream.OneLine(error);
            return null;
        }
    }

    // "… (HRESULT: 0x80131375)"
    private static uint? ReadResult(string message)
    {
        const string prefix = "0x";
        const int digits = 8;
        var start = message.LastIndexOf(prefix, StringComparison.Ordinal) + prefix.Length;
        return start >= prefix.Length && message.Length >= start + digits
            && uint.TryParse(message.AsSpan(start, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var result)
            ? result
            : null;
    }
}
