using NativeHeap.Collect;
using NativeHeap.Collect.Sessions;
using NativeHeap.Present.Plots;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary>The end of a recording at which a user looks: its trace is named and closed, and shown in a few lines.</summary>
internal static class TraceClosing
{
    /// <summary>Finishes, names and closes.</summary>
    /// <param name="finish">Ends the recording.</param>
    /// <param name="nameManaged">Names code of .NET, and returns remarks.</param>
    /// <param name="hasFailed">Whether it was said before that the trace cannot be written.</param>
    /// <param name="hurried">Cancelled when nobody wants to wait for names.</param>
    /// <returns>False when the trace ends at its last commit, as it could not be written; that has been said.</returns>
    public static bool Close(
        Func<Recording> finish,
        Func<CancellationToken, IReadOnlyList<string>> nameManaged,
        Func<bool> hasFailed,
        CancellationToken hurried)
    {
        try
        {
            var recording = finish();
            TraceNames.Complete(recording, nameManaged, hurried);
            recording.Close(TraceSession.Clock());
            return true;
        }
        catch (TraceWriteException error)
        {
            if (!hasFailed())
            {
                Messages.Warn($"{error.Message}; the trace ends at its last commit");
            }

            return false;
        }
    }

    /// <summary>Says what was recorded, and draws how the heap grew.</summary>
    /// <param name="trace">The closed trace.</param>
    /// <param name="picture">Null: none is wanted.</param>
    public static void Show(string trace, PictureFile? picture)
    {
        RunSummary.Say(trace);
        if (picture is not null)
        {
            PlotVerb.DrawGrowth(trace, picture);
        }
    }
}
