using System.Text;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>The text of a request: a snapshot's name.</summary>
internal static class RequestText
{
    /// <summary>Most bytes of UTF-8.</summary>
    public const int MaxBytes = 112;

    /// <summary>The text of a record that may hold anything; null when it is no UTF-8 or its length cannot be.</summary>
    public static string? Read(RequestRecord request)
    {
        if (request.TextLength > MaxBytes)
        {
            return null;
        }
        ReadOnlySpan<byte> text = request.Text;
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text[..(int)request.TextLength]);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
