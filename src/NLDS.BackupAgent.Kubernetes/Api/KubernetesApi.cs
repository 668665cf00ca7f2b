using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>
/// An API server, request by request: a few at once, each tried again when that is safe, as late as the server asks. What it refuses is an <see cref="ApiException"/>;
/// that it cannot be reached or does not let us in is a <see cref="SourceException"/>.
/// </summary>
internal sealed class KubernetesApi : IDisposable
{
    /// <summary>What kubectl and controllers use; a server with priority and fairness queues more than this anyway.</summary>
    public const int Parallel = 8;

    /// <summary>With pauses of 0.5 s, doubled: half a minute of a server that restarts.</summary>
    private const int Attempts = 7;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);

    /// <summary>A server may ask for more patience than anybody has.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>The server's own limit of a request is 60 s.</summary>
    private static readonly TimeSpan RequestBound = TimeSpan.FromSeconds(75);

    private readonly ClusterConnection connection;
    private readonly TimeProvider clock;
    private readonly HttpClient client;
    private readonly SemaphoreSlim gate = new(Parallel);

    public KubernetesApi(ClusterConnection connection, TimeProvider clock)
    {
        (this.connection, this.clock) = (connection, clock);
        client = new HttpClient(connection.CreateHandler()) { BaseAddress = Slashed(connection.Server), Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("nlds-backup", typeof(KubernetesApi).Assembly.GetName().Version?.ToString(3) ?? "0"));
    }

    public ClusterConnection Connection => connection;

    public Task<JsonDocument> GetAsync(string path, CancellationToken cancellationToken, string accept = "application/json") =>
        SendAsync(new ApiCall(HttpMethod.Get, path) { Accept = accept }, cancellationToken);

    /// <summary>One object as it may be changed.</summary>
    public async Task<JsonObject> GetObjectAsync(string path, CancellationToken cancellationToken)
    {
        using var document = await GetAsync(path, cancellationToken);
        return JsonObject.Create(document.RootElement.Clone())!;
    }

    /// <summary>One object, or null when the server says that there is none.</summary>
    public async Task<JsonObject?> FindObjectAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await GetObjectAsync(path, cancellationToken);
        }
        catch (ApiException absent) when (absent.IsNotFound)
        {
            return null;
        }
    }

    public async Task<JsonObject> WriteAsync(ApiCall call, CancellationToken cancellationToken)
    {
        using var document = await SendAsync(call, cancellationToken);
        return JsonObject.Create(document.RootElement.Clone())!;
    }

    public async Task<string> GetTextAsync(string path, CancellationToken cancellationToken)
    {
        using var answer = await AnswerAsync(new ApiCall(HttpMethod.Get, path) { Accept = "*/*" }, cancellationToken);
        return await answer.Content.ReadAsStringAsync(cancellationToken);
    }

    public async Task<JsonDocument> SendAsync(ApiCall call, CancellationToken cancellationToken)
    {
        using var answer = await AnswerAsync(call, cancellationToken);
        call.Answered?.Invoke(answer);
        try
        {
            await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonDocument.ParseAsync(body, JsonPaths.Strict, cancellationToken);
        }
        catch (JsonException odd)
        {
            throw new SourceException($"{Where(call)} answered with what is not JSON. Is {connection.Server} a Kubernetes API server?", isPermanent: false, odd);
        }
    }

    public void Dispose()
    {
        client.Dispose();
        gate.Dispose();
        (connection.Credential as IDisposable)?.Dispose();
    }

    /// <returns>An answer of success, with all of its body: one that breaks off or falls silent in the middle is tried again like any other.</returns>
    private async Task<HttpResponseMessage> AnswerAsync(ApiCall call, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            var (pause, isRefused) = (FirstPause, false);
            for (var attempt = 1; ; attempt++)
            {
                var wait = pause;
                try
                {
                    var answer = await OnceAsync(call, isRefused, cancellationToken);
                    if (answer.IsSuccessStatusCode)
                    {
                        return answer;
                    }

                    using (answer)
                    {
                        var failure = ApiException.Of((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(cancellationToken));
                        if (answer.StatusCode == HttpStatusCode.Unauthorized)
                        {
                            if (isRefused)
                            {
                                throw new SourceException(
                                    $"The Kubernetes API at {connection.Server} does not accept the credentials of {connection.Origin}: {failure.Message}. Log in again, or set Kubernetes:Kubeconfig.",
                                    isPermanent: true);
                            }

                            // A token that has just run out: once more, with what lies there now.
                            isRefused = true;
                            continue;
                        }

                        var asked = answer.Headers.RetryAfter?.Delta;
                        if (attempt >= Attempts || !MayRepeat(call, answer.StatusCode, asked))
                        {
                            throw failure;
                        }

                        wait = asked > wait ? asked.Value : wait;
                    }
                }
                catch (Exception broken) when (broken is HttpRequestException or IOException or TimeoutException)
                {
                    if (attempt >= Attempts || !call.IsRepeatable || broken.InnerException is AuthenticationException)
                    {
                        throw Unreachable(call, broken);
                    }
                }

                await Task.Delay(wait < LongestPause ? wait : LongestPause, clock, cancellationToken);
                pause *= 2;
            }
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<HttpResponseMessage> OnceAsync(ApiCall call, bool isRefused, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(call.Method, call.Path.TrimStart('/'));
        request.Headers.TryAddWithoutValidation("Accept", call.Accept);
        if (await connection.Credential.FindTokenAsync(isRefused, cancellationToken) is { } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (call.Body is { } body)
        {
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, ApiJson.Default.JsonNode));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(call.ContentType);
        }

        using var bound = new CancellationTokenSource(RequestBound, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, bound.Token);
        try
        {
            return await client.SendAsync(request, HttpCompletionOption.ResponseContentRead, both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"It did not answer within {RequestBound.TotalSeconds:F0} s.");
        }
    }

    /// <summary>429 was not begun, whatever it is. The others may have been, and only what may be done twice is.</summary>
    private static bool MayRepeat(ApiCall call, HttpStatusCode status, TimeSpan? asked) => status switch
    {
        HttpStatusCode.TooManyRequests => true,
        HttpStatusCode.ServiceUnavailable => call.IsRepeatable && (asked is not null || !call.FailsFast),
        HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout or HttpStatusCode.InternalServerError => call.Method == HttpMethod.Get && !call.FailsFast,
        _ => false,
    };

    private SourceException Unreachable(ApiCall call, Exception broken) => broken.InnerException is AuthenticationException tls
        ? new SourceException(
            $"The Kubernetes API at {connection.Server} shows a certificate that {connection.Origin} does not trust: {tls.Message} Check its certificate-authority.", isPermanent: true, broken)
        : new SourceException($"{Where(call)} cannot be reached: {broken.Message} Check the server of {connection.Origin}.", isPermanent: false, broken);

    private string Where(ApiCall call) => $"The Kubernetes API at {connection.Server} ({call.Method} {call.Path.Split('?')[0]})";

    private static Uri Slashed(Uri server) => server.AbsoluteUri.EndsWith('/') ? server : new Uri(server.AbsoluteUri + "/");
}
