using System.Net;
using Amazon.Runtime;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>The connections under the SDK.</summary>
internal sealed class S3HttpClients : HttpClientFactory, IDisposable
{
    /// <summary>The retrying store gives each try a shorter time; this holds for whoever uses the client without it.</summary>
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>A store's name may come to mean other machines; a daemon that runs for months has to ask again.</summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    /// <summary>Some times what the writers and readers of one agent use at once; it bounds what a burst may open.</summary>
    private const int MaximumConnections = 64;

    private readonly HttpClient client = new(new AtOnce(new SocketsHttpHandler
    {
        ConnectTimeout = ConnectTimeout,
        PooledConnectionLifetime = ConnectionLifetime,
        MaxConnectionsPerServer = MaximumConnections,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
    }))
    {
        Timeout = RequestTimeout,
    };

    /// <summary>The SDK asks for each request; connections are kept only if it is always the same client.</summary>
    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => client;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => client.Dispose();

    /// <summary>
    /// Sends bodies without asking first. After <c>Expect: 100-continue</c> and a refusal, Ceph gateways without the fix of
    /// tracker.ceph.com/issues/58286 answer the next request of the connection with a bare 400.
    /// </summary>
    private sealed class AtOnce(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.ExpectContinue = false;
            return base.SendAsync(request, cancellationToken);
        }
    }
}
