using System.Runtime.InteropServices;

namespace OrderService;

/// <summary>Prints invoices.</summary>
public interface IInvoicePrinter
{
    /// <summary>The caller disposes of the invoice.</summary>
    IInvoice Print(int order, int lines);
}

/// <summary>A printed invoice.</summary>
public interface IInvoice : IDisposable
{
    /// <summary>How long it is.</summary>
    int Letters { get; }
}

/// <summary>Prints by the C library.</summary>
public sealed partial class NativeInvoicePrinter : IInvoicePrinter
{
    private const int Articles = 15_000;

    /// <summary>Loads the catalogue.</summary>
    public NativeInvoicePrinter() => LoadCatalogue(Articles);

    /// <inheritdoc/>
    public IInvoice Print(int order, int lines) => new Invoice(PrintInvoice(order, lines));

    [LibraryImport("invoice", EntryPoint = "catalogue_load")]
    private static partial void LoadCatalogue(int count);

    [LibraryImport("invoice", EntryPoint = "invoice_print")]
    private static partial nint PrintInvoice(int order, int lines);

    [LibraryImport("invoice", EntryPoint = "invoice_release")]
    private static partial void ReleaseInvoice(nint invoice);

    private sealed class Invoice(nint text) : IInvoice
    {
        public int Letters => Marshal.PtrToStringUTF8(text)!.Length;

        public void Dispose() => ReleaseInvoice(text);
    }
}
