namespace OrderService;

/// <summary>What customers can do.</summary>
public sealed class OrderDesk(IInvoicePrinter printer)
{
    private const int KeptInvoices = 250;

    private readonly Queue<IInvoice> _sold = new();

    /// <summary>Sells; the invoice is kept until it is none of the last 250.</summary>
    public async Task<int> SellAsync(int number)
    {
        await Task.Yield(); // stands for the order's way from the database
        var invoice = printer.Print(number, lines: 12);
        lock (_sold)
        {
            _sold.Enqueue(invoice);
            if (_sold.Count > KeptInvoices)
            {
                _sold.Dequeue().Dispose();
            }
        }
        return invoice.Letters;
    }

    /// <summary>Cancels. The mistake: the invoice is printed only to see how long it was, and never disposed of.</summary>
    public async Task<int> CancelAsync(int number)
    {
        await Task.Yield();
        return printer.Print(number, lines: 12).Letters;
    }
}
