using System.Net;
using System.Net.Sockets;
using System.Text;
using Amazon.Runtime;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Storage.S3;

namespace NLDS.BackupAgent.Storage.Tests.S3;

/// <summary>
/// Says over a real connection what a test tells it to: for the answers that a sound server does not give. One answer a connection.
/// </summary>
internal sealed class ScriptedS3 : IAsyncDisposable
{
    public const string SecretKey = "correct-horse-battery";
    public const string Absent = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n";
    public const string Stored = "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Length: 0\r\n";
    public const string Taken = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n";

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Func<string, string> answer;
    private readonly List<string> requests = [];
    private readonly Task serving;

    /// <param name="answer">Given the request's head, the whole answer but for its Connection header; a body follows an empty line.</param>
    public ScriptedS3(Func<string, string> answer)
    {
        this.answer = answer;
        listener.Start();
        serving = ServeAsync();
    }

    /// <summary>An empty listing: the words in which a store says that there is nothing.</summary>
    public static string EmptyListing { get; } = Answer("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");

    /// <summary>The heads of the requests so far.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (requests)
            {
                return [.. requests];
            }
        }
    }

    public static string Answer(string status, string body) =>
        $"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    public static string Error(string status, string code) => Answer(status, $"<Error><Code>{code}</Code><Message>What it says.</Message></Error>");

    public S3ObjectStore Open(ILogger<S3ObjectStore> logger, ConditionalPut conditionalPut = ConditionalPut.Auto) => new(
        new S3Options { Bucket = "bucket", ServiceUrl = $"http://{listener.LocalEndpoint}", ConditionalPut = conditionalPut },
        new BasicAWSCredentials("access", SecretKey),
        TimeProvider.System,
        logger);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            using var connection = await listener.AcceptTcpClientAsync(stop.Token);
            await using var stream = connection.GetStream();
            var head = await ReadRequestAsync(stream);
            lock (requests)
            {
                requests.Add(head);
            }

            var text = answer(head);
            var split = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var (lines, body) = split < 0 ? (text.TrimEnd(), "") : (text[..split], text[(split + 4)..]);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{lines}\r\nConnection: close\r\n\r\n{body}"), stop.Token);
        }
    }

    private async Task<string> ReadRequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, stop.Token);
            head.Append((char)one[0]);
            if (head.ToString().EndsWith("Expect: 100-continue\r\n", StringComparison.OrdinalIgnoreCase))
            {
                await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), stop.Token);
            }
        }

        var length = head.ToString().Split("\r\n").FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        await stream.ReadExactlyAsync(new byte[length is null ? 0 : int.Parse(length[15..], System.Globalization.CultureInfo.InvariantCulture)], stop.Token);
        return head.ToString();
    }
}
