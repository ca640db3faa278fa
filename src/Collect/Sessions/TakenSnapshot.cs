namespace NativeHeap.Collect.Sessions;

/// <summary>A snapshot that was taken on demand.</summary>
/// <param name="Name">What it is read by.</param>
/// <param name="ListsAll">Whether it lists every live block of the process; false: they are too
/// many, or it is recorded by samples, or was not from its first moment on.</param>
public readonly record struct TakenSnapshot(string Name, bool ListsAll);
