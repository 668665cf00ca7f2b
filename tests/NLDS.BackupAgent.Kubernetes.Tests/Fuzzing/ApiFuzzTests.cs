using System.Net;
using System.Text;
using System.Text.Json;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Kubernetes.Tests.Fuzzing;

/// <summary>An API server that answers well-formed documents of another shape than they should have.</summary>
public sealed class ApiFuzzTests : IDisposable
{
    private const string Aggregated =
        """{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"apps"},"versions":[{"version":"v1","freshness":"Current","resources":[{"resource":"deployments","responseKind":{"group":"","kind":"Deployment"},"scope":"Namespaced","verbs":["get","list"],"subresources":[{"subresource":"status"}]}]}]}]}""";

    private const string Legacy =
        """{"kind":"APIVersions","versions":["v1"],"groups":[{"name":"apps","versions":[{"version":"v1"}],"preferredVersion":{"version":"v1"}}],"resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["get"]},{"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["get"]}]}""";

    private const string Listed = """{"kind":"List","metadata":{"resourceVersion":"1","continue":""},"items":[{"metadata":{"name":"a"}}]}""";

    private readonly HttpListener listener = new();
    private readonly KubernetesApi api;
    private byte[] answer = [];
    private string type = "application/json";

    public ApiFuzzTests()
    {
        var url = $"http://127.0.0.1:{FreePorts.Take(1)[0]}/";
        listener.Prefixes.Add(url);
        listener.Start();
        _ = AnswerAsync();
        api = new KubernetesApi(new ClusterConnection { Server = new Uri(url), Origin = "a test", Credential = new FixedCredential(null, null) }, TimeProvider.System);
    }

    [Theory]
    [InlineData(Aggregated, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")]
    [InlineData(Legacy, "application/json")]
    public void What_a_server_serves_is_understood_or_refused(string sample, string answered)
    {
        type = answered;
        Fuzz("discovery", sample, () => Discovery.ReadAsync(api, CancellationToken.None));
    }

    [Fact]
    public void Lists_are_understood_or_refused() => Fuzz("a list", Listed, () => new ObjectLister(api).ListAsync("api/v1/pods", _ => ValueTask.CompletedTask, CancellationToken.None));

    public void Dispose()
    {
        api.Dispose();
        listener.Close();
    }

    private void Fuzz(string what, string sample, Func<Task> read)
    {
        var mutator = new JsonMutator([sample]);
        new Fuzzer(
            what,
            mutator.Next,
            input =>
            {
                // A page that names a next one would be asked for for ever: the one who answers here never comes to an end.
                answer = Encoding.UTF8.GetBytes(input.Text.Replace("continue", "continued", StringComparison.Ordinal));
                read().GetAwaiter().GetResult();
            },
            refusal => refusal is SourceException or ApiException).Run(100);
    }

    private async Task AnswerAsync()
    {
        while (listener.IsListening)
        {
            try
            {
                var context = await listener.GetContextAsync();
                context.Response.ContentType = type;
                context.Response.ContentLength64 = answer.Length;
                await context.Response.OutputStream.WriteAsync(answer);
                context.Response.Close();
            }
            catch (Exception gone) when (gone is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // The client or the test is.
            }
        }
    }
}
