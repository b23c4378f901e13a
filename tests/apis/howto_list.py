import requests
import json
import urllib3
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

router_ip = "your_router_ip"
router_user = "api_user"
router_password = "api_password"

url = f"https://{router_ip}/rest/ip/pool"
headers = {'Content-Type': 'application/json'}

response = requests.get(url,
    auth=(router_user, router_password),
    headers=headers,
    verify=False)

if response.status_code == 200:
    print("IP Pools retrieved successfully")
    print(response.json())
else:
    print(f"Error getting IP Pool: {response.status_code} - {response.text}")
