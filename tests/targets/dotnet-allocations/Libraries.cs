using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Data.Sqlite;
using SkiaSharp;

namespace Allocations;

/// <summary>Libraries that allocate natively on behalf of their callers, each called from a method of its own.</summary>
internal static class Libraries
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Compress()
    {
        using var deflate = new DeflateStream(Stream.Null, CompressionLevel.Fastest);
        deflate.Write(new byte[100_000]);
        using var brotli = new BrotliStream(Stream.Null, CompressionLevel.Fastest);
        brotli.Write(new byte[100_000]);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Encrypt()
    {
        using var aes = Aes.Create();
        _ = aes.EncryptCbc(new byte[1000], new byte[16]);
        _ = SHA256.HashData(new byte[1000]);
        using var rsa = RSA.Create(2048);
        _ = rsa.SignData(new byte[10], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TalkTls()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        client.Connect((IPEndPoint)listener.LocalEndpoint);
        using var server = listener.AcceptTcpClient();
        using var serverSide = new SslStream(server.GetStream());
        using var clientSide = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
        var accepted = Task.Run(() => serverSide.AuthenticateAsServer(certificate));
        clientSide.AuthenticateAsClient("localhost");
        accepted.Wait();
        clientSide.Write("hello"u8);
        _ = serverSide.ReadByte();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Collate()
    {
        var german = CultureInfo.GetCultureInfo("de-DE").CompareInfo;
        _ = german.Compare("Straße", "STRASSE", CompareOptions.IgnoreCase);
        _ = german.GetSortKey("Öl");
        _ = new DateTime(2024, 1, 1).ToString("D", CultureInfo.GetCultureInfo("ja-JP"));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void QuerySqlite()
    {
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "CREATE TABLE t(x); INSERT INTO t VALUES (1), ('two'); SELECT count(*) FROM t";
        _ = command.ExecuteScalar();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Draw()
    {
        using var bitmap = new SKBitmap(300, 200);
        using var canvas = new SKCanvas(bitmap);
        canvas.Clear(SKColors.White);
        canvas.DrawCircle(100, 100, 50, new SKPaint { Color = SKColors.Red });
        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 90);
    }
}
