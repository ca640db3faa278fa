namespace NativeHeap.Wire;

/// <summary>A region whose header cannot be trusted; the message says which value.</summary>
public sealed class RegionFormatException(string message) : Exception(message);
