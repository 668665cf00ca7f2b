using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Telemetry;

/// <summary>Takes what is sent by OTLP over HTTP. The messages are protobuf, in which every name and text stands as it is, so they are looked through as text.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> received = new();
    private readonly WebApplication app;

    private OtlpReceiver(WebApplication app) => this.app = app;

    public string Url => app.Urls.Single();

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var receiver = new OtlpReceiver(app);
        app.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            receiver.received.GetOrAdd(signal, _ => new()).Enqueue(Encoding.UTF8.GetString(body.ToArray()));
            return Results.Bytes([], "application/x-protobuf");
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    public string All(string signal) => string.Concat(received.GetOrAdd(signal, _ => new()));

    public Task SeesAsync(string signal, string text) => Eventually.TrueAsync(() => All(signal).Contains(text, StringComparison.Ordinal), $"{signal} with '{text}'");

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
