using System.Net;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Security;

/// <summary>Takes what is sent by OTLP over HTTP. The messages are protobuf, in which every text stands as it is.</summary>
internal sealed class OtlpListener : IAsyncDisposable
{
    private readonly HttpListener listener = new();
    private readonly Evidence evidence;
    private readonly Task taking;

    public OtlpListener(Evidence evidence)
    {
        this.evidence = evidence;
        Url = $"http://127.0.0.1:{FreePorts.Take(1)[0]}";
        listener.Prefixes.Add(Url + "/");
        listener.Start();
        taking = TakeAsync();
    }

    public string Url { get; }

    /// <summary>What was sent: logs, metrics, traces.</summary>
    public HashSet<string> Signals { get; } = [];

    public async ValueTask DisposeAsync()
    {
        listener.Close();
        await taking;
    }

    private async Task TakeAsync()
    {
        try
        {
            while (true)
            {
                var context = await listener.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                var signal = context.Request.Url!.Segments[^1];
                Signals.Add(signal);
                evidence.Add($"OTLP's {signal}", body.ToArray());
                context.Response.ContentType = "application/x-protobuf";
                context.Response.ContentLength64 = 0;
                context.Response.Close();
            }
        }
        catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
