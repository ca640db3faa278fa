using Microsoft.Diagnostics.NETCore.Client;

namespace NativeHeap.Managed;

/// <summary>A socket that a runtime connects to when it starts. Listens as soon as it is made.</summary>
internal sealed class ReversePort : IDisposable
{
    private readonly Task<DiagnosticsClientConnector> _accepting;
    private readonly CancellationTokenSource _ending = new();
    private int _isDisposed;

    /// <exception cref="IOException">There is no place for such a socket.</exception>
    internal ReversePort(string path)
    {
        _accepting = DiagnosticsClientConnector.FromDiagnosticPort(path + ",listen", _ending.Token);
        if (_accepting.IsFaulted)
        {
            throw new IOException($"no socket can be made at {path}", _accepting.Exception.InnerException);
        }
    }

    /// <summary>Waits for the first runtime.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or disposed.</exception>
    internal DiagnosticsClient Accept(CancellationToken cancellation)
    {
        _accepting.Wait(cancellation);
        return _accepting.Result.Instance;
    }

    /// <summary>Tries once more to let a runtime run.</summary>
    internal static void Resume(DiagnosticsClient client)
    {
        try
        {
            client.ResumeRuntime();
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            // it runs, or is gone
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        _ending.Cancel();
        _accepting.ContinueWith(
            accepted =>
            {
                _ending.Dispose();
                return accepted.IsCompletedSuccessfully ? accepted.Result.DisposeAsync().AsTask() : Task.CompletedTask;
            },
            TaskScheduler.Default);
    }
}
